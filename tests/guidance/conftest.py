"""A network whose every pass is written down, and conditions of several shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from lodestar.core import Level, Step

B = 4


@dataclass(frozen=True)
class Number:
    """A condition by shape alone: a number a sample, 0 is the null."""

    value: Tensor

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, rows: Tensor | slice) -> Number:
        return Number(self.value[rows])

    def null(self) -> Number:
        return Number(torch.zeros_like(self.value))

    @property
    def present(self) -> Tensor:
        return self.value != 0

    @classmethod
    def cat(cls, parts: Sequence[Number]) -> Number:
        return Number(torch.cat([p.value for p in parts]))


@dataclass
class Recorder:
    """An x0 network: x / 2 plus the condition's number. Keeps the values and levels of every pass."""

    passes: list[list[float]] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)

    def __call__(self, x: Tensor, level: Level, condition: Number | Tensor | None) -> Tensor:
        value = condition.value if isinstance(condition, Number) else condition
        value = torch.zeros(len(x)) if value is None else value
        self.passes.append(value.tolist())
        self.levels.append(level)
        self.inputs.append(x)
        return x / 2 + value.to(x).reshape(-1, 1, 1)


@dataclass
class Encoding(Recorder):
    """The same with an encoder, which writes down what it encoded."""

    encoded: list[list[float]] = field(default_factory=list)

    def encode(self, condition: Number) -> Number:
        self.encoded.append(condition.value.tolist())
        return Number(condition.value * 10)


@pytest.fixture
def net() -> Recorder:
    return Recorder()


@pytest.fixture
def encoding() -> Encoding:
    return Encoding()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(B, 2, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def condition() -> Number:
    return Number(torch.tensor([1.0, 2.0, 3.0, 4.0]))


def _at(*ratio: float) -> Step:
    """A step of a variance-exploding process, where sigma/alpha is just sigma."""
    sigma = torch.tensor(ratio if len(ratio) > 1 else ratio[0], dtype=torch.float64)
    one = torch.ones_like(sigma)
    return Step(Level(one, sigma, 0 * one, one))


@pytest.fixture
def at():
    return _at
