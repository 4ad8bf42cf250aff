"""What every condition can do, and the coins that drop it.

A condition is a frozen dataclass of tensors, batch first. Its null is the condition that says nothing; training puts it
in the place of a random share of the rows (Ho & Salimans 2022, arXiv:2207.12598, Algorithm 1), so that one network
learns both the conditional and the unconditional prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from ..errors import UsageError

C = TypeVar("C", bound="Condition")


class Condition(Protocol):
    """A batch of B conditions. Nothing here knows a network."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor | slice) -> Self:
        """The conditions of these rows, by slice, mask [B] or indices."""
        ...

    @property
    def present(self) -> Tensor:
        """bool [B]: the rows that are not the null."""
        ...

    def without(self, mask: Tensor) -> Self:
        """The null in the rows where mask (bool [B]) is true, unchanged elsewhere."""
        ...

    def null(self) -> Self:
        """The null in every row."""
        ...

    def to(self, device: torch.device | str) -> Self: ...

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, in order."""
        ...


def coins(n: int, p: float, generator: torch.Generator | None = None) -> Tensor:
    """bool [n], each true with probability p on its own: 0 is never and 1 is always, exactly."""
    if not 0 <= p <= 1:
        raise UsageError(f"a drop probability lies in [0, 1], got {p}")
    return torch.rand(n, generator=generator) < p


def drop(condition: C, p: float, generator: torch.Generator | None = None) -> C:
    """Each row becomes the null with probability p: one coin a sample, thrown in the training step."""
    return condition.without(coins(len(condition), p, generator))
