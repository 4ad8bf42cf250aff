"""A vector of numbers as a condition: an embedding of some other model, a pose, a guidance scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..errors import UsageError
from .chances import Drop, check_drop
from .condition import of_kind
from .dense import Dense


@dataclass(frozen=True)
class Vector(Dense):
    """One vector a sample: values [B, D]. The null is zeros here; a learnt one is the network's to put there."""

    axes: ClassVar = "B, D"


@dataclass(frozen=True)
class VectorSchema:
    """A vector of one length."""

    dim: int
    null: Literal["zeros", "learnt"] = "zeros"
    drop: Drop = 0.1  # probability; the CFG paper's best were 0.1 and 0.2
    kind: ClassVar = "vector"

    def __post_init__(self) -> None:
        check_drop(self.drop, self.null, ("zeros", "learnt"))
        if self.dim < 1:
            raise UsageError(f"a vector has at least 1 number, got a dim of {self.dim}")

    def encode(self, values: Sequence[object]) -> Vector:
        """Vectors of D numbers to a condition [B]; None is the null. Raises UsageError on another length."""
        return Vector.of(values, (self.dim,))

    def check(self, condition: object) -> None:
        """Raise UsageError if a condition is not of this schema."""
        dim = of_kind(condition, Vector).values.shape[1]
        if dim != self.dim:
            raise UsageError(f"this model is conditioned on vectors of {self.dim} numbers, got {dim}")
