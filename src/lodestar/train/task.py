"""What is trained: a network and its loss. The loop knows nothing more.

Denoising, Ho & Salimans 2022 (arXiv:2207.12598), Algorithm 1, for any process and any kind of network:

    u ~ density,  eps ~ N(0, I),  x = alpha x0 + sigma eps
    c <- null with the schema's drop probability at that level, one coin a sample
    loss = weight(level) mean_pixels (F(x, level, c) - target)^2,   target = eps, v, x0 or flow

Of a network with an inner head the head's own loss is added, times `inner`: Zhou et al. 2025, arXiv:2512.24176, whose
code has 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from ..conditions import (
    Condition,
    Dropped,
    Image,
    ImageSchema,
    JointSchema,
    Label,
    LabelSchema,
    PartSchema,
    Schema,
    TextSchema,
    Vector,
    VectorSchema,
    anything,
    fallen,
    rates,
    without,
)
from ..core import Kind, Level, Prediction, generator
from ..data import Batch
from ..errors import UsageError
from ..pictures import from_uint8
from ..process import Density, Process, Uniform

DROPPED, NOISE = "dropped", "sigma/alpha"  # names of facts
INNER, ACCURACY = "inner_loss", "accuracy"
_DRAWS = 0x6472617773  # keeps these draws apart from the data's of the same seed


class Task(Protocol):
    """Anything with a network to train and a loss for each sample.

    A task may also have `facts`: per-sample tensors [B] of the last batch, by name. `NOISE` is named when a loss is not
    finite; the mean of `DROPPED` is logged as the realised drop rate, that of `INNER` as the loss of an inner head, and
    that of `ACCURACY` as it is.
    """

    network: nn.Module

    def loss(self, batch: Batch, step: int, first: int = 0) -> Tensor:
        """The loss [B] of each sample, on the network's device.

        Its randomness is a function of the task's seed, the step, and each sample's place in the whole batch of the
        step: the first of `batch` is at place `first`. So it survives resuming, accumulation and several processes.
        """
        ...


@dataclass
class Denoising:
    """Teaches a network to tell the clean picture from the noise."""

    network: nn.Module  # with encode(condition) and (x, level, context) -> raw
    process: Process
    kind: Kind
    schema: Schema = None
    density: Density = field(default_factory=Uniform)
    weight: Callable[[Level], Tensor] | None = None  # of each sample's loss, [B]; None is 1
    seed: int = 0
    inner: float = 0.5  # weight of an inner head's loss
    facts: Mapping[str, Tensor] = field(default_factory=dict)

    def loss(self, batch: Batch, step: int, first: int = 0) -> Tensor:
        drawn = draw(self, batch.images.shape, step, first)
        level = self.process.level(drawn.u)
        condition = condition_of(batch, self.schema)
        self.facts = {NOISE: level.noise_to_signal}
        if condition is not None:
            condition = without(condition, drawn.dropped)
            self.facts = {NOISE: level.noise_to_signal, DROPPED: anything(drawn.dropped, len(condition))}
        errors = self.errors(batch.images, drawn.eps, level, condition)
        if "inner" not in errors:
            return errors["main"]
        self.facts = {**self.facts, INNER: errors["inner"].detach()}
        return errors["main"] + self.inner * errors["inner"]

    def judge(self, batch: Batch, eps: Tensor, level: Level) -> Mapping[str, Tensor]:
        """What validation tells of pictures under this noise, each [B]."""
        return {"loss": self.error(batch.images, eps, level, condition_of(batch, self.schema))}

    def error(self, images: Tensor, eps: Tensor, level: Level, condition: Condition | None) -> Tensor:
        """The weighted squared error [B] of the network's output, mean over pixels; images are uint8 [B, C, H, W]."""
        return self.errors(images, eps, level, condition)["main"]

    def errors(self, images: Tensor, eps: Tensor, level: Level, condition: Condition | None) -> dict[str, Tensor]:
        """The same of each of its heads, by name."""
        device = next(self.network.parameters()).device
        x0, eps, level = from_uint8(images.to(device)), eps.to(device), _to(level, device)
        at = level.like(x0)
        x = (at.alpha * x0 + at.sigma * eps).contiguous(memory_format=torch.channels_last)
        target = Prediction(x0, eps).reading(self.kind, level)
        context = self.network.encode(None if condition is None else condition.to(device))  # type: ignore[operator]
        out = self.network(x, level, context)
        heads = out if isinstance(out, Mapping) else {"main": out}
        squared = {head: (raw.float() - target).square().flatten(1).mean(1) for head, raw in heads.items()}  # [B] each
        weight = 1.0 if self.weight is None else self.weight(level).to(target)
        return {head: error * weight for head, error in squared.items()}


@dataclass(frozen=True)
class Drawn:
    """What chance decides of a batch."""

    u: Tensor  # [B], float64
    dropped: Dropped  # bool [B], or by part
    eps: Tensor  # [B, C, H, W]


def draw(task: Denoising, shape: torch.Size, step: int, first: int) -> Drawn:
    """One generator for each sample: a function of (seed, step, place in the step's batch)."""
    chances = [generator(task.seed, _DRAWS, step, first + i) for i in range(shape[0])]
    u = torch.cat([task.density.sample(1, task.process, g) for g in chances])
    coin = torch.cat([torch.rand(1, generator=g) for g in chances])
    dropped = fallen(coin, rates(task.schema.drop if task.schema else 0.0, task.process.level(u)))
    return Drawn(u, dropped, torch.stack([torch.randn(shape[1:], generator=g) for g in chances]))


def condition_of(batch: Batch, schema: Schema) -> Condition | None:
    """The condition [B] that a schema makes of a batch. Raises UsageError if the data has no such thing."""
    return None if schema is None else _condition(batch, schema, schema.kind)


def _condition(batch: Batch, schema: PartSchema | JointSchema, name: str) -> Condition:
    if isinstance(schema, JointSchema):
        return schema.join({name: _condition(batch, part, name) for name, part in schema.parts.items()})
    if isinstance(schema, TextSchema):
        if batch.texts is None:
            raise UsageError("the model is conditioned on text and the data has no captions: give captioned images")
        return schema.encode(batch.texts)
    if isinstance(schema, LabelSchema):
        if batch.labels is None:
            raise UsageError("the model is conditioned on classes and the data has none: give images in class folders")
        return Label(batch.labels)
    condition = _carried(batch, schema, name)
    schema.check(condition)
    return condition


def _carried(batch: Batch, schema: ImageSchema | VectorSchema, name: str) -> Image | Vector:
    """What a batch carries by name."""
    if name not in batch.conditions:
        raise UsageError(f"the model is conditioned on {_MISSING[schema.kind].format(name)}")
    values = batch.conditions[name]
    return Image(from_uint8(values)) if isinstance(schema, ImageSchema) else Vector(values.float())


_MISSING = {
    "image": "pictures ('{}') beside the images and the data has none: name their column with --before-column",
    "vector": "vectors ('{}') and the data has none: name their column with --vector-column",
}


def facts(task: Task) -> Mapping[str, Tensor]:
    """The facts of a task's last batch; none if it keeps none."""
    return getattr(task, "facts", {})


def _to(level: Level, device: torch.device) -> Level:
    return Level(*(f.to(device) for f in (level.alpha, level.sigma, level.d_alpha, level.d_sigma)))
