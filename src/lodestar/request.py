"""What is asked of a model, settled before anything runs: conditions, rule, and whether the model can do it at all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from .conditions import Condition, Schema, TextSchema, Value, guidable
from .core import Level, Prediction, Step
from .errors import UsageError
from .guidance import CFG, Asks, Negative, Number, Rule, parse, take
from .guidance.fields import lengths
from .process import Process

Prompts: TypeAlias = Value | Sequence[Value]  # one or many: a text, a class by name or number, None for no prompt
Guidance: TypeAlias = Rule | str | Number  # a rule, its text, or a number s for cfg(s)


@dataclass(frozen=True)
class Defaults:
    """What a model is sampled with when nothing else is asked."""

    guidance: str = "cfg(1)"  # none, until somebody has measured better
    sampler: str = "ddim"
    steps: int = 20


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
    def __call__(self, x: Tensor, level: Level, context: object, /) -> Prediction: ...


def listed(prompts: Prompts) -> list[Value]:
    """One or many prompts as a list [P]."""
    asked: list[Value] = [prompts] if prompts is None or isinstance(prompts, str | int) else list(prompts)
    if not asked:
        raise UsageError("there are no prompts: give at least one, or None (--unconditional) to sample without")
    return asked


def conditions(
    model: Samples, asked: Sequence[Value], negative: Value
) -> tuple[Condition | None, dict[str, Condition]]:
    """The prompts' condition [P], and the negative one by name [1]."""
    given = [p for p in (*asked, negative) if p is not None]
    if model.schema is None:
        if given:
            raise UsageError(f"model '{model.name}' is unconditional and knows no prompt: pass None (--unconditional)")
        return None, {}
    if isinstance(model.schema, TextSchema):
        _check_texts(model.schema, given)
    named: dict[str, Condition] = {} if negative is None else {"negative": model.schema.encode([negative])}
    return model.schema.encode(asked), named


def _check_texts(schema: TextSchema, texts: Sequence[Value]) -> None:
    if any(isinstance(t, str) and not t.strip() for t in texts):
        raise UsageError("the prompt is empty: pass None (--unconditional) to sample without one")
    unseen = dict.fromkeys(w for t in texts if isinstance(t, str) for w in schema.unseen(t))
    if unseen:
        warnings.warn(f"the model never saw in training: {', '.join(unseen)}", stacklevel=4)


def settled(
    model: Samples,
    asked: Sequence[Value],
    guidance: Guidance | None,
    negative: Value,
    grid: Sequence[Level],
) -> Rule:
    """The rule to sample by, which this model can follow."""
    rule = _rule(model.defaults.guidance if guidance is None else guidance)
    if negative is not None and not _spelt(guidance):
        rule = _away(rule)
    bare = all(p is None for p in (*asked, negative))
    asks = [rule.begin().asks(Step(level, i, len(grid) - 1)) for i, level in enumerate(grid[:-1])]
    _check_null(model, any(p is None for p in asked), asks if not bare or guidance is not None else [])
    if negative is not None and not any(a.replace for named in asks for a in named.values()):
        raise UsageError(f"guidance {rule} does not read the negative prompt: use a rule that does, negative(4)")
    if bare and guidance is not None and _guides(asks):
        warnings.warn(f"guidance {rule} has nothing to pull towards without a prompt: it is left out", stacklevel=3)
    return CFG(1.0) if bare else rule


def _rule(guidance: Guidance) -> Rule:
    if isinstance(guidance, str):
        return parse(guidance)
    return guidance if _spelt(guidance) else CFG(guidance)  # type: ignore[arg-type, return-value]


def _spelt(guidance: Guidance | None) -> bool:
    """Whether the caller wrote the rule itself, and not a number or nothing."""
    return isinstance(guidance, str) or hasattr(guidance, "asks")


def _away(rule: Rule) -> Rule:
    """The same rule with `negative` in the place of every `cfg`."""
    if isinstance(rule, CFG):
        return Negative(rule.scale)
    if not is_dataclass(rule):
        return rule
    inner = {f.name: _away(v) for f in fields(rule) if hasattr(v := getattr(rule, f.name), "asks")}
    return replace(rule, **inner) if inner else rule


def _guides(asks: Sequence[Asks]) -> bool:
    """Whether anything but the conditional is asked of any sample at any step."""
    return any(
        (a.drop or a.replace) and (a.rows is None or bool(a.rows.any())) for named in asks for a in named.values()
    )


def _check_null(model: Samples, bare: bool, asks: Sequence[Asks]) -> None:
    """Refuse what needs a null that the model has not learnt."""
    if model.schema is None and _guides(asks):
        raise UsageError(f"model '{model.name}' is unconditional, so there is nothing to guide: leave guidance out")
    dropped = [{k: a for k, a in named.items() if a.drop} for named in asks]
    if model.schema is not None and not guidable(model.schema) and (bare or _guides(dropped)):
        asked = "sample without a prompt" if bare else "be guided"
        mend = "give a prompt" if bare else "use guidance cfg(1), or train with drop > 0"
        raise UsageError(f"model '{model.name}' never saw its null in training (drop 0) and cannot {asked}: {mend}")


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
