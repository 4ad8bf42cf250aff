"""Class labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..errors import UsageError, unknown
from .chances import Drop, check_drop
from .condition import Rows, of_kind


@dataclass(frozen=True)
class Label(Rows):
    """One class a sample; -1 is the null."""

    index: Tensor  # int64 [B]

    @property
    def present(self) -> Tensor:
        return self.index >= 0

    def without(self, mask: Tensor) -> Label:
        return Label(self.index.masked_fill(mask.to(self.index.device), -1))

    def null(self) -> Label:
        return Label(torch.full_like(self.index, -1))

    @classmethod
    def cat(cls, parts: Sequence[Label]) -> Label:
        return Label(torch.cat([p.index for p in parts]))


@dataclass(frozen=True)
class LabelSchema:
    """A class of a fixed list."""

    classes: tuple[str, ...]
    null: Literal["learnt", "zeros"] = "learnt"
    drop: Drop = 0.1  # probability; the CFG paper's best were 0.1 and 0.2
    kind: ClassVar = "label"

    def __post_init__(self) -> None:
        check_drop(self.drop, self.null, ("learnt", "zeros"))
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise UsageError("classes must be a list of different names, with at least one in it")

    def encode(self, values: Sequence[object]) -> Label:
        """Class names or numbers, also as text, to a condition [B]; None is the null. A name goes before a number.

        Raises UsageError on an unknown class.
        """
        return Label(torch.tensor([self._index(v) for v in values], dtype=torch.int64))

    def check(self, condition: object) -> None:
        """Raise UsageError if a condition is not of this schema."""
        index = of_kind(condition, Label).index
        if index.device.type == "cpu" and bool((index >= len(self.classes)).any()):  # elsewhere a look is a wait
            raise UsageError(f"this model has classes 0 to {len(self.classes) - 1}, got {int(index.max())}")

    def _index(self, value: object) -> int:
        if value is None:
            return -1
        if isinstance(value, str) and value in self.classes:
            return self.classes.index(value)
        if isinstance(value, str) and not value.isdecimal():
            raise unknown("class", value, self.classes)
        if isinstance(value, str | int) and 0 <= int(value) < len(self.classes):
            return int(value)
        raise UsageError(f"a class is a name or a number from 0 to {len(self.classes) - 1}, got {value!r}")
