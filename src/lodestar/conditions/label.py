"""Class labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Label:
    """One class a sample; -1 is the null."""

    index: Tensor  # int64 [B]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Tensor | slice) -> Label:
        return Label(self.index[rows])

    @property
    def present(self) -> Tensor:
        return self.index >= 0

    def without(self, mask: Tensor) -> Label:
        return Label(self.index.masked_fill(mask.to(self.index.device), -1))

    def null(self) -> Label:
        return Label(torch.full_like(self.index, -1))

    def to(self, device: torch.device | str) -> Label:
        return Label(self.index.to(device))

    @classmethod
    def cat(cls, parts: Sequence[Label]) -> Label:
        return Label(torch.cat([p.index for p in parts]))
