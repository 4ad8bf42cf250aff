"""How likely something is said of a noisy picture: classifiers and CLIPs that know the noise, for guidance.

    judge = lodestar.Likelihood.load("runs/classifier/model")
    model.sample("a red circle", guidance="classifier(cfg(0), 2)", gradients={"classifier": judge})

    clip = lodestar.Likelihood.load("runs/clip/model")
    more_red = clip.towards("a red circle", away="a blue circle")
    model.sample("a circle", guidance="clip(cfg(3), 1)", gradients={"clip": more_red})

Saved in a folder as a model is. `lodestar train --preset classifier-scenes` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .conditions import Condition, Joint, JointSchema, Label, LabelSchema, Schema, Text, TextSchema, Value, singles
from .core import Level
from .data.scenes.answers import answers
from .errors import UsageError
from .model import JUDGES, Model, Unfit, contents, loaded
from .model import load as load_model
from .model_folder import WEIGHTS, find, read_config, write
from .process import Process

MEND = "say what to pull towards (towards(...), --towards)"


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A network that tells pictures apart, and what its answers mean.

    It reads the noise as an angle and x at unit variance, so that it guides models of any process and kind.
    """

    network: nn.Module  # (x [B, C, H, W], level, context) -> log p [B], with encode(condition) and a dataclass config
    process: Process  # that it was trained under
    schema: Schema  # of what it tells: classes, several questions, or texts
    shape: tuple[int, int, int]  # C, H, W
    name: str = "likelihood"
    card: Mapping[str, Any] = field(default_factory=dict)  # `recipe`, `measured` and `licence`
    folder: Path | None = None  # where it was loaded from
    log_density: ClassVar = True  # which goes up: no loss for the rule energy

    @classmethod
    def load(cls, folder: Path | str, device: torch.device | str = "cpu") -> Likelihood:
        """The one in a folder: in fp32, in eval mode. Raises UsageError as `lodestar.load` does."""
        return loaded(folder, device, _judging)

    @property
    def kind(self) -> str:
        """classifier or clip, which is also the name of the rule that asks for it."""
        return type(self.network).__name__.lower()

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def __call__(self, x: Tensor, level: Level, condition: Condition) -> Tensor:
        """log p [B] of a condition of its schema, given x [B, C, H, W], up to what x does not change; the null's is 0.

        Raises UsageError for pictures of another size, and where it is told the noise as something else than a level.
        """
        if tuple(x.shape[1:]) != tuple(self.shape):
            sizes = " and ".join("x".join(map(str, s)) for s in (self.shape, x.shape[1:]))
            raise UsageError(f"{self.kind} '{self.name}' and the model are of pictures of two sizes: {sizes}")
        if not isinstance(level, Level):
            mend = "call it from a function of your own: lambda x, t, c: judge(x, process.level(...), ...)"
            raise UsageError(f"{self.kind} '{self.name}' is told the noise as a Level: {mend}")
        condition = condition.to(self.device)
        return self.network(x, level, self.network.encode(condition)) * condition.present.to(x.device)  # type: ignore[operator]

    def condition(self, values: Sequence[Value]) -> Condition:
        """What is said, [B], as its schema has it: texts, classes; of several questions captions, or mappings."""
        if isinstance(self.schema, JointSchema):
            values = [answers(value) if isinstance(value, str) else value for value in values]
        return self.schema.encode(values)  # type: ignore[union-attr]  # of a judge there is one

    def of_prompts(self, schema: Schema, some: bool = True) -> Prompted:
        """The log density of what the sampler's own condition says, which is of this schema; for `gradients=`.

        Raises UsageError where no sample has a prompt (not `some`).
        """
        if not some or schema is None:
            raise UsageError(f"there is no prompt that {self.kind} '{self.name}' could pull towards: {MEND}")
        return Prompted(self, schema)

    def towards(self, value: Value, away: Value = None) -> Towards:
        """The log density of one thing for all samples, or its log odds against another; for `gradients=`."""
        return Towards(self, value, away)

    def save(self, folder: Path | str, dtype: torch.dtype = torch.float32) -> None:
        """Write it into a folder, all of it or nothing. Raises UsageError as `Model.save` does."""
        write(folder, contents(self), dtype)

    def describe(self) -> dict[str, object]:
        """What `lodestar info` prints, as JSON values."""
        config = contents(self).config
        file = None if self.folder is None else self.folder / WEIGHTS
        told = {
            **{k: config[k] for k in ("name", "kind", "process", "network", "shape")},
            "tells": _tells(self.schema),
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "bytes": file.stat().st_size if file is not None and file.is_file() else None,
            **{k: self.card.get(k) for k in ("measured", "recipe", "licence")},
        }
        return json.loads(json.dumps(told))


@dataclass(frozen=True, eq=False)
class Prompted:
    """A likelihood of what the condition says that a sampler's model is given. Rows of the null are left alone."""

    judge: Likelihood
    schema: Schema  # of that model
    log_density: ClassVar = True

    @property
    def name(self) -> str:
        return self.judge.name

    def __call__(self, x: Tensor, level: Level, condition: Condition) -> Tensor:
        return self.judge(x, level, self.judge.condition(said(condition, self.schema)))


@dataclass(frozen=True, eq=False)
class Towards:
    """log p(value | x), or log p(value | x) - log p(away | x)."""

    judge: Likelihood
    value: Value
    away: Value = None
    log_density: ClassVar = True

    @property
    def name(self) -> str:
        away = "" if self.away is None else f", away from '{self.away}'"
        return f"{self.judge.name} towards '{self.value}'{away}"

    def __call__(self, x: Tensor, level: Level, *rest: Any) -> Tensor:
        found = self._log_p(x, level, self.value)
        return found if self.away is None else found - self._log_p(x, level, self.away)

    def _log_p(self, x: Tensor, level: Level, value: Value) -> Tensor:
        return self.judge(x, level, self.judge.condition([value] * len(x)))


def said(condition: Condition, schema: Schema) -> list[Value]:
    """What a condition [B] of a schema says, as it was asked for: texts and names of classes; None for the null.

    Of a joint one, its only text or class. Raises UsageError where it has none, or several.
    """
    if isinstance(condition, Joint) and isinstance(schema, JointSchema):
        named = [name for name, part in schema.parts.items() if isinstance(part, TextSchema | LabelSchema)]
        if len(named) != 1:
            raise UsageError(f"the condition has {len(named)} texts and classes: {MEND}")
        return said(condition.parts[named[0]], schema.parts[named[0]])
    if isinstance(condition, Label) and isinstance(schema, LabelSchema):
        return [schema.classes[i] if i >= 0 else None for i in condition.index.tolist()]
    if isinstance(condition, Text) and isinstance(schema, TextSchema) and schema.tokenizer is not None:
        rows = zip(condition.ids.tolist(), condition.mask.sum(1).tolist(), condition.present.tolist(), strict=True)
        return [schema.tokenizer.decode(ids[:n]) if there else None for ids, n, there in rows]
    raise UsageError(f"the condition says nothing in words or classes: {MEND}")


def known(name: Path | str) -> Model | Likelihood:
    """Whatever is in the folder of a model."""
    return Likelihood.load(name) if read_config(find(name))["kind"] in JUDGES else load_model(name)


def _judging(config: Mapping[str, Any], parts: Mapping[str, Any]) -> Likelihood:
    if config["kind"] not in JUDGES:
        what = f"{parts['folder']} is a model that draws pictures, and a gradient is of one that tells them apart"
        raise Unfit(f"{what}: lodestar train --preset classifier-scenes makes one")
    judge = Likelihood(**parts)
    if judge.kind != config["kind"]:
        raise UsageError(f"it is said to be a {config['kind']}, and its network is a {judge.kind}")
    return judge


def _tells(schema: Schema) -> object:
    if isinstance(schema, JointSchema):
        return {name: part.classes for name, part in schema.parts.items() if isinstance(part, LabelSchema)}
    one = singles(schema)[0]
    return {"class": one.classes} if isinstance(one, LabelSchema) else "texts"
