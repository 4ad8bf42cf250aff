"""From the values of a label column to indices of named classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UsageError

if TYPE_CHECKING:
    from datasets import Features

Value = int | str | bool | None
UNLABELLED = -1  # as a hidden test label is written; also the index of the null condition


@dataclass(frozen=True)
class Classes:
    """Names, and the index of each value as it is written in the data."""

    names: tuple[str, ...]
    index: Mapping[Value, int]

    def encode(self, values: Iterable[Value]) -> Tensor:
        """Indices, int64 [B]; -1 for None and for -1. Raises UsageError for a class that training never had."""
        return torch.tensor([self._one(value) for value in values], dtype=torch.long)

    def _one(self, value: Value) -> int:
        if value is None or value == UNLABELLED:
            return UNLABELLED
        if value not in self.index:
            raise UsageError(f"class '{value}' is not among the {len(self.names)} classes of the training data")
        return self.index[value]


def declared(features: Features, column: str) -> Classes | None:
    """The classes that the data set itself names (class folders, ClassLabel, the README's class_label); else None."""
    from datasets import ClassLabel

    feature = features[column]
    if not isinstance(feature, ClassLabel):
        return None
    names = tuple(feature.names)
    return Classes(names, {i: i for i in range(len(names))})


def found(values: Iterable[Value]) -> Classes:
    """Classes of a plain column: its distinct values in order, each named as it is written."""
    distinct = sorted({v for v in values if v is not None and v != UNLABELLED}, key=lambda v: (isinstance(v, str), v))
    return Classes(tuple(str(v) for v in distinct), {v: i for i, v in enumerate(distinct)})
