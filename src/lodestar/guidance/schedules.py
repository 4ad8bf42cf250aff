"""Schedules: weights over the noise level, for rules such as `schedule(cfg(7.5), cosine())`.

    constant     1                                                      plain guidance
    interval     1 where lo < sigma/alpha <= hi, 0 elsewhere            Kynkaanniemi et al. 2024, arXiv:2404.07724
    linear       2 r                                    mean 1, peak 2  Wang et al. 2024, arXiv:2404.13040
    cosine       1 - cos(pi r)                          mean 1, peak 2  the same
    pcs          (1 - cos(pi r^power)) / 2              peak 1          Gao et al. 2023, arXiv:2303.14389, app. D
    exponential  (e^(rate r) - 1) / (e^rate - 1)        peak 1          Gao et al. 2026, arXiv:2603.08155 (C2FG)
    beta         the density of Beta(a, b) at r         mean 1          Malarz et al. 2025, arXiv:2502.10574
    table        any, interpolated                      as given

r = alpha / (alpha + sigma) is 0 in pure noise and 1 in clean data, and 1 - r is a flow's own time. The papers have
1 - t/T of their network's training, which no level knows: this is it on a flow, is within 0.05 of it on a cosine, and
0.1 to 0.2 off on DDPM's schedules, in the mean, where the angle of the level is a little further off. Means are over r,
hence over the steps of a grid that is uniform in it. With a table, which is in sigma/alpha, one has any other time.

A weight multiplies what a rule adds to its base: of `cfg` it is 1 + weight (scale - 1) that is scheduled. That is how
MDT's code reads pcs, and how Wang et al.'s formulas are printed; ports of these read the schedule as the scale itself,
and so begin at the null. The shapes that rise do so from `noise`, their weight in pure noise, to `clean`, that in clean
data; with the two exchanged they fall. Of the formulas, those of Wang et al. and C2FG were read in notes on the papers
and in ports, those of MDT and beta-CFG in the authors' code.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import ClassVar, TypeVar, dataclass_transform

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError
from .fields import Number, Range, number, settle, values
from .rule import listed

S = TypeVar("S", bound="type[Shape]")


@dataclass(frozen=True)
class Shape:
    """A weight over the noise level. What is like it, a function of a level, will do where one is asked for."""

    ranges: ClassVar[dict[str, Range]] = {}  # of the fields that have one

    def __post_init__(self) -> None:
        settle(self, *(field.name for field in fields(self)))

    @abstractmethod
    def __call__(self, level: Level) -> Tensor:
        """The weight, float64 [] or [B] on the CPU."""


SHAPES: dict[str, type[Shape]] = {}


@dataclass_transform(frozen_default=True)
def shape(cls: S) -> S:
    """Freeze a class into a shape: a dataclass that prints as the language reads it, listed by its lower-case name."""
    return listed(cls, SHAPES)


def check_shape(name: str, value: object) -> None:
    """Raise UsageError unless what is called so is a shape."""
    if isinstance(value, type) or not callable(value) or hasattr(value, "asks"):
        raise UsageError(f"{name} must be a schedule such as cosine(), got {value!r}")


def progress(level: Level) -> Tensor:
    """alpha / (alpha + sigma), float64 [] or [B] on the CPU: 0 in pure noise, 1 in clean data."""
    return (level.alpha / (level.alpha + level.sigma)).double().cpu()


@shape
class Constant(Shape):
    """The same everywhere."""

    weight: Number = 1.0

    def __call__(self, level: Level) -> Tensor:
        return values(self.weight) + torch.zeros_like(progress(level))


@shape
class Interval(Shape):
    """1 in an interval of noise levels, 0 elsewhere."""

    lo: Number = 0.28  # sigma/alpha, outside; the paper's interval for SD-XL
    hi: Number = 5.42  # sigma/alpha, inside; inf: from pure noise on
    ranges: ClassVar = {"hi": (-math.inf, math.inf)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if (values(self.lo) > values(self.hi)).any():
            raise UsageError(f"lo must be at most hi, got lo={self.lo} and hi={self.hi}")

    def __call__(self, level: Level) -> Tensor:
        s = level.noise_to_signal.cpu()
        return ((values(self.lo) < s) & (s <= values(self.hi))).double()


@dataclass(frozen=True)
class Rise(Shape):
    """From one weight in pure noise to another in clean data."""

    noise: Number = 0.0
    clean: Number = 1.0

    def __call__(self, level: Level) -> Tensor:
        return torch.lerp(values(self.noise), values(self.clean), self.risen(progress(level)))

    @abstractmethod
    def risen(self, r: Tensor) -> Tensor:
        """0 at 0 and 1 at 1."""


@shape
class Linear(Rise):
    """A straight line."""

    clean: Number = 2.0  # so that the mean is 1, the paper's normalisation

    def risen(self, r: Tensor) -> Tensor:
        return r


@shape
class Cosine(Rise):
    """Half a wave, flat at both ends."""

    clean: Number = 2.0  # so that the mean is 1, the paper's normalisation

    def risen(self, r: Tensor) -> Tensor:
        return (1 - torch.cos(math.pi * r)) / 2


@shape
class PCS(Rise):
    """Half a wave in a power of the time."""

    power: Number = 4.0  # above 1: later; MDT's
    ranges: ClassVar = {"power": (1e-3, 1e3)}

    def risen(self, r: Tensor) -> Tensor:
        return (1 - torch.cos(math.pi * r ** values(self.power))) / 2


@shape
class Exponential(Rise):
    """Growth by e^rate: with noise 0 and scale e^rate it is C2FG's scale(t) = omega_0 e^(rate (1 - t)) with omega_0 1.

    With any omega_0: scale = omega_0 e^rate and noise = (omega_0 - 1) / (scale - 1).
    """

    rate: Number = math.log(2)  # the paper's for DiT
    ranges: ClassVar = {"rate": (1e-6, 100.0)}

    def risen(self, r: Tensor) -> Tensor:
        return torch.expm1(values(self.rate) * r) / torch.expm1(values(self.rate))


@shape
class Beta(Shape):
    """Nothing at either end: beta-CFG's shape in time. Its division of the guidance by a norm is another idea."""

    a: Number = 2.0  # the authors' code's; larger than b: later
    b: Number = 2.0
    ranges: ClassVar = {"a": (1.0, 1e3), "b": (1.0, 1e3)}

    def __call__(self, level: Level) -> Tensor:
        r, a, b = progress(level), values(self.a), values(self.b)
        return (torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)).exp() * r ** (a - 1) * (1 - r) ** (b - 1)


@shape
class Table(Shape):
    """Weights at some levels, linear in log(sigma/alpha) between them and constant beyond."""

    at: Sequence[float]  # sigma/alpha, rising
    weights: Sequence[float]

    def __post_init__(self) -> None:
        for name in ("at", "weights"):
            value = number(name, getattr(self, name))
            object.__setattr__(self, name, (value,) if isinstance(value, float) else tuple(value))
        if not len(self.at) == len(self.weights) >= 2:
            mend = "give at least 2 levels, and a weight for each"
            raise UsageError(f"a table of {len(self.at)} levels and {len(self.weights)} weights: {mend}")
        if not all(0 < low < high for low, high in pairwise(self.at)):
            raise UsageError(f"the levels of a table must be above 0 and rise, got {[*self.at]}")

    def __call__(self, level: Level) -> Tensor:
        s, at, weights = level.noise_to_signal.cpu().log(), values(self.at).log(), values(self.weights)
        i = torch.searchsorted(at, s).clamp(1, len(at) - 1)
        return torch.lerp(weights[i - 1], weights[i], ((s - at[i - 1]) / (at[i] - at[i - 1])).clamp(0, 1))
