"""What is asked of a model, settled before anything runs: conditions, rule, seeds, and whether it can be done."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Protocol, TypeAlias, cast

import torch
from torch import Tensor

from .conditions import Condition, Joint, JointSchema, PartSchema, Schema, TextSchema, Value, guidable
from .core import Level, Prediction
from .errors import UsageError
from .guidance import CFG, Ask, Negative, Number, Rule, parse, take
from .guidance.evaluation import check_gradients
from .guidance.fields import lengths
from .guidance.rule import asks_of
from .process import Process, levels
from .samplers import sampler as find_sampler

# One or many: a text, a class by name or number, a mapping of a joint model's parts to theirs, None for no prompt.
Prompts: TypeAlias = Value | Sequence[Value]
Guidance: TypeAlias = Rule | str | Number  # a rule, its text, or a number s, also as text, for cfg(s)
Seed: TypeAlias = int | Sequence[int]  # one for all prompts alike, or one for each

MOST = {"n": 1_000_000, "steps": 10_000}  # more is a slip of the finger, and would end in no memory


@dataclass(frozen=True)
class Defaults:
    """What a model is sampled with when nothing else is asked. Raises UsageError for what it cannot be."""

    guidance: str = "cfg(1)"  # none, until somebody has measured better
    sampler: str = "ddim"
    steps: int = 20
    grid: str = "u"

    def __post_init__(self) -> None:
        for name in ("guidance", "sampler", "grid"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be a text, got {getattr(self, name)!r}")
        ruled(None, self)
        find_sampler(self.sampler)
        whole("steps", self.steps)

    def levels(self, process: Process) -> Sequence[Level]:
        """What a sampler visits. Raises UsageError for an unknown grid, and for one that this process does not have."""
        return levels(process, self.steps, self.grid)


class UnseenWords(UserWarning):
    """A prompt has words that no training text had."""


class Samples(Protocol):
    """All that sampling needs of a model."""

    @property
    def name(self) -> str: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def process(self) -> Process: ...
    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W."""
        ...

    @property
    def device(self) -> torch.device: ...
    @property
    def defaults(self) -> Defaults: ...

    def encode(self, condition: Condition | None) -> object: ...
    def __call__(self, x: Tensor, level: Level, context: object, /) -> Prediction | Mapping[str, Prediction]: ...


def whole(name: str, count: int) -> None:
    """Raise UsageError unless what is called so is a whole number of at least 1, and of at most MOST."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"{name} must be a whole number of at least 1, got {count}")
    if count > MOST.get(name, count):
        raise UsageError(f"{name} must be at most {MOST[name]}, got {count}")


def listed(prompts: Prompts) -> list[Value]:
    """One or many prompts as a list [P]."""
    many = isinstance(prompts, Iterable) and not isinstance(prompts, str | bytes | Mapping)
    asked: list[Value] = list(cast("Iterable[Value]", prompts)) if many else [cast("Value", prompts)]
    if not asked:
        raise UsageError("there are no prompts: give at least one, or None (--unconditional) to sample without")
    return asked


def seeds_of(seed: Seed, prompts: int, n: int) -> list[int]:
    """The seed of each sample [P n]: its prompt's for the first, and one more for each that follows."""
    first = list(seed) if isinstance(seed, Sequence) else [seed] * prompts
    for each in first:
        if isinstance(each, bool) or not isinstance(each, int):
            raise UsageError(f"a seed is a whole number, got {each!r}")
    if len(first) != prompts:
        raise UsageError(f"seed has {len(first)} values for {prompts} prompts: give one, or one for each prompt")
    return [each + k for each in first for k in range(n)]


def beside(negative: Value, named: Mapping[str, Prompts] | None, prompts: int) -> dict[str, list[Value]]:
    """What is asked beside the prompts, by name: each one, or one for each prompt."""
    found = {name: listed(value) for name, value in (named or {}).items()}
    if "null" in found:
        raise UsageError("no prompt is named 'null': that is the model's own; to guide away from a prompt use negative")
    for name, values in found.items():
        if len(values) not in (1, prompts):
            raise UsageError(f"'{name}' has {len(values)} prompts for {prompts}: give one, or one for each prompt")
    if negative is not None and "negative" in found:
        raise UsageError("two prompts are named 'negative': give one, as negative= or in named=")
    return found if negative is None else {"negative": [negative], **found}


def conditions(
    model: Samples, asked: Sequence[Value], others: Mapping[str, Sequence[Value]]
) -> tuple[Condition | None, dict[str, Condition]]:
    """The prompts' condition [P], and the others by name, each [1] or [P]."""
    if model.schema is None:
        if any(p is not None for values in (asked, *others.values()) for p in values):
            raise UsageError(f"model '{model.name}' is unconditional and knows no prompt: pass None (--unconditional)")
        return None, {}
    _check_texts(model.schema, {"": asked, **others})
    return model.schema.encode(asked), {name: _other(model.schema, values) for name, values in others.items()}


def _other(schema: PartSchema | JointSchema, values: Sequence[Value]) -> Condition:
    """What stands in for a prompt; of a joint schema, for the parts that it names."""
    if isinstance(schema, JointSchema):
        return Joint.cat([schema.encode_some(value) for value in values])
    return schema.encode(values)


def _texts(schema: Schema, values: Sequence[object]) -> Iterator[tuple[TextSchema, Sequence[object]]]:
    """Every schema of texts in this one, and what is asked of it."""
    if isinstance(schema, TextSchema):
        yield schema, values
    if isinstance(schema, JointSchema):
        for name, part in schema.parts.items():
            yield from _texts(part, [value.get(name) if isinstance(value, Mapping) else None for value in values])


_EMPTY = {
    "": "the prompt is empty: pass None (--unconditional) to sample without one",
    "negative": "the negative prompt is empty: leave it out (--negative, negative=) to guide by the null",
}


def _check_texts(schema: Schema, asked: Mapping[str, Sequence[Value]]) -> None:
    """Refuse what is empty, and say which words are new; the prompts have no name, the others have."""
    unseen: dict[str, None] = {}
    for name, values in asked.items():
        for part, texts in _texts(schema, values):
            if any(map(_empty, texts)):
                raise UsageError(_EMPTY.get(name, f"the prompt named '{name}' is empty: leave it out, or say it"))
            unseen |= dict.fromkeys(word for t in texts if isinstance(t, str) for word in part.unseen(t))
    if unseen:
        warnings.warn(f"the model never saw in training: {', '.join(unseen)}", UnseenWords, stacklevel=4)


def _empty(text: object) -> bool:
    return isinstance(text, str) and not text.strip()


def settled(
    model: Samples,
    asked: Sequence[Value],
    guidance: Guidance | None,
    others: Mapping[str, Sequence[Value]],
    grid: Sequence[Level],
    nets: Mapping[str, object],
    gradients: Mapping[str, Callable[..., Tensor]],
) -> Rule:
    """The rule to sample by, which this model can follow, with these other prompts, networks and gradients."""
    rule = ruled(guidance, model.defaults, next(iter(others.get("negative", ())), None))
    bare = all(p is None for values in (asked, *others.values()) for p in values)
    asks = asks_of(rule, grid)
    own = [a for a in asks if a.net == "main"] if not bare or guidance is not None else []
    _check_null(model.name, model.schema, any(p is None for p in asked), own)
    _check_parts(rule, model.name, model.schema, own)
    for name, net in nets.items():
        if hasattr(net, "schema"):
            _check_net(name, cast("Samples", net), model)
            _check_null(name, net.schema, False, [a for a in asks if a.net == name])
    if not bare or _guides_anyway(asks):
        for name in dict.fromkeys([*(a.replace for a in asks if a.replace), *others]):
            _check_named(rule, name, name in others, [a for a in asks if a.replace == name])
        _check_nets(rule, asks, nets)
        _check_gradients(rule, asks, gradients)
        for name, net in {**nets, "main": model}.items():
            _check_heads(rule, net, [a for a in asks if a.net == name])
        return rule
    if guidance is not None and _guides(asks):
        warnings.warn(f"guidance {rule} has nothing to pull towards without a prompt: it is left out", stacklevel=3)
    return CFG(1.0)


def ruled(guidance: Guidance | None, defaults: Defaults, negative: Value = None) -> Rule:
    """The rule asked for, or else the model's own; away from a negative prompt where nobody wrote the rule out."""
    asked = _number(guidance)
    rule = _rule(_number(defaults.guidance) if asked is None else asked)
    spelt = isinstance(asked, str) or hasattr(asked, "asks")
    return rule if negative is None or spelt else _away(rule)


def _number(guidance: Guidance | None) -> Guidance | None:
    """A number that comes as text, as that number: a command line has nothing else."""
    try:
        return float(guidance) if isinstance(guidance, str) else guidance
    except ValueError:
        return guidance


def _rule(guidance: Guidance | None) -> Rule:
    if isinstance(guidance, str):
        return parse(guidance)
    if isinstance(guidance, type):
        raise UsageError(f"guidance is a rule such as CFG(4), got the class {guidance.__name__} itself")
    return guidance if hasattr(guidance, "asks") else CFG(guidance)  # type: ignore[arg-type, return-value]


def _away(rule: Rule) -> Rule:
    """The same rule with `negative` in the place of every `cfg`."""
    if isinstance(rule, CFG):
        return Negative(rule.scale)
    if not is_dataclass(rule):
        return rule
    inner = {f.name: _away(v) for f in fields(rule) if hasattr(v := getattr(rule, f.name), "asks")}
    return replace(rule, **inner) if inner else rule


def _guides(asks: Sequence[Ask]) -> bool:
    """Whether anything but the conditional is asked of any sample at any step."""
    return any((a.drop or a.replace) and a.wanted for a in asks)


def _guides_anyway(asks: Sequence[Ask]) -> bool:
    """Whether it asks for more than the condition and what stands in its place: then it needs no prompt."""
    return any(a.grad or a != Ask(drop=a.drop, replace=a.replace) for a in asks)


def _check_named(rule: Rule, name: str, given: bool, asks: Sequence[Ask]) -> None:
    """Refuse a prompt of this name that is missing or never asked; say so where it is asked of no sample."""
    where = f"(--named {name}=PROMPT, named={{{name!r}: ...}})"
    what, such = f"prompt named '{name}'", f"compose(cfg(4), name='{name}')"
    if name == "negative":
        what, where, such = "negative prompt", "(--negative, negative=)", "negative(4)"
    if not given and _guides(asks):
        raise UsageError(f"guidance {rule} needs a {what}: give one {where}")
    if given and not asks:
        mend = f"use a rule that does, such as {such}"
        raise UsageError(f"guidance {rule} reads the {what} {where} at no step: {mend}")
    if given and not _guides(asks):
        mend = f"give another scale, such as {such}"
        warnings.warn(f"guidance {rule} leaves the {what} {where} without effect: {mend}", stacklevel=4)


def _check_nets(rule: Rule, asks: Sequence[Ask], nets: Mapping[str, object]) -> None:
    """Refuse a network that is missing, one that is never asked, and one that would stand for the model itself."""
    if "main" in nets:
        raise UsageError("no network is named 'main': that is the model's own")
    for name in dict.fromkeys(a.net for a in asks if a.net != "main" and a.wanted):
        if name not in nets:
            mend = f"give one (--net {name}=FOLDER, nets={{{name!r}: ...}})"
            raise UsageError(f"guidance {rule} needs a network named '{name}': {mend}")
    for name in nets:
        if not any(a.net == name for a in asks):
            mend = "use a rule that does, such as auto(2) for 'weak'"
            raise UsageError(f"guidance {rule} reads the network named '{name}' at no step: {mend}")


def _check_gradients(rule: Rule, asks: Sequence[Ask], gradients: Mapping[str, Callable[..., Tensor]]) -> None:
    """Refuse a function that is missing, one that leads the wrong way, and one that is never asked."""
    check_gradients(asks, gradients)
    for name in gradients:
        if not any(a.gradient == name for a in asks):
            such = f"{name}(cfg(1), 2)" if name in ("classifier", "clip") else f"energy(cfg(1), '{name}')"
            mend = f"use a rule that does, such as {such}"
            raise UsageError(f"guidance {rule} reads the gradient named '{name}' at no step: {mend}")


def _check_heads(rule: Rule, net: object, asks: Sequence[Ask]) -> None:
    """Refuse what needs a head that a model has not; what other networks have shows when they are called."""
    heads = getattr(net, "heads", None)
    missing = [a.head for a in asks if heads is not None and a.head not in heads and a.wanted]
    if missing:
        why = f"guidance {rule} needs the head '{missing[0]}', which model '{getattr(net, 'name', net)}' has not"
        raise UsageError(f"{why}: train one with it (--network.inner 1)")


def _check_net(name: str, net: Samples, model: Samples) -> None:
    """Refuse another model whose images or conditions are not this one's."""
    if net.shape != model.shape:
        raise UsageError(f"'{name}' makes images of {[*net.shape]} and model '{model.name}' of {[*model.shape]}")
    if _language(net.schema) != _language(model.schema):
        mend = "take one that was trained with the same classes, tokenizer and null"
        raise UsageError(f"'{name}' reads other conditions than model '{model.name}': {mend}")


def _language(schema: Schema) -> dict[str, PartSchema | None]:
    """By what a condition means the same to two models: all of a schema but how often it was dropped, and which words
    were read in training."""
    parts = schema.parts if isinstance(schema, JointSchema) else {"": schema}
    return {name: part and _unread(replace(part, drop=0.0)) for name, part in parts.items()}


def _unread(part: PartSchema) -> PartSchema:
    if not isinstance(part, TextSchema) or part.tokenizer is None:
        return part
    return replace(part, tokenizer=replace(part.tokenizer, words=frozenset()))


def _check_null(name: str, schema: Schema, bare: bool, asks: Sequence[Ask]) -> None:
    """Refuse what needs a null that the model of this name has not learnt."""
    if schema is None and _guides(asks):
        raise UsageError(f"model '{name}' is unconditional, so there is nothing to guide: leave guidance out")
    unseen = [a for a in asks if a.drop and not guidable(schema, a.drop)]
    if schema is not None and ((bare and not guidable(schema)) or _guides(unseen)):
        asked = "sample without a prompt" if bare else "be guided"
        mend = "give a prompt" if bare else "use guidance cfg(1), or train with drop > 0"
        raise UsageError(f"model '{name}' never saw its null in training (drop 0) and cannot {asked}: {mend}")


def _check_parts(rule: Rule, name: str, schema: Schema, asks: Sequence[Ask]) -> None:
    """Refuse what drops parts of a condition where the condition of the model of this name has no parts."""
    parts = {part for a in asks if isinstance(a.drop, frozenset) for part in a.drop}
    if parts and not isinstance(schema, JointSchema):
        why = f"drops a part of the condition ({', '.join(sorted(parts))}), and that of model '{name}' has none"
        raise UsageError(f"guidance {rule} {why}: use cfg, or train on several (--condition text+image)")


def spread(rule: Rule, owner: Sequence[int]) -> Rule:
    """The rule with its per-prompt numbers [P] repeated for the samples [B]; per-sample numbers stay as they are."""
    samples, prompts = len(owner), max(owner) + 1
    found = dict(lengths(rule))
    for name, length in found.items():
        if length not in (samples, prompts):
            raise UsageError(f"{name} has {length} values for {prompts} prompts and {samples} samples: give as many")
    if len(set(found.values())) > 1:
        raise UsageError(f"give {' and '.join(found)} the same number of values: one for each prompt or each sample")
    return take(rule, owner) if prompts in found.values() else rule
