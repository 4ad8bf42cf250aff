"""What every condition can do.

A condition is a frozen dataclass of tensors, batch first. Its null is the condition that says nothing; training puts it
in the place of a random share of the rows (Ho & Salimans 2022, arXiv:2207.12598, Algorithm 1), so that one network
learns both the conditional and the unconditional prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from ..errors import UsageError

C = TypeVar("C", bound="Condition")
K = TypeVar("K")


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
        """The rows of all parts, in order. Raises UsageError where they are of different schemas."""
        ...


class Rows:
    """A frozen dataclass of tensors, batch first: what a condition can do by that alone."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def __getitem__(self, rows: Tensor | slice) -> Self:
        return self._each(lambda tensor: tensor[rows])

    def to(self, device: torch.device | str) -> Self:
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        tensors = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **tensors)  # type: ignore[type-var]


def cat(conditions: Sequence[C]) -> C:
    """The rows of all, which must be of one kind."""
    kinds = sorted({type(c).__name__ for c in conditions})
    if len(kinds) > 1:
        raise UsageError(f"conditions of different kinds do not stack: {' and '.join(kinds)}")
    return type(conditions[0]).cat(conditions)


def of_kind(condition: object, kind: type[K]) -> K:
    """The condition, which must be of the kind that a schema is for."""
    if not isinstance(condition, kind):
        got = type(condition).__name__
        raise UsageError(f"this model is conditioned on a {kind.__name__}, and this condition is a {got}")
    return condition
