"""Text as token ids of a fixed length, so that every batch has one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UsageError


@dataclass(frozen=True)
class Text:
    """One text a sample. The null is the one token `null_id` and padding: attention always has a token to look at."""

    ids: Tensor  # int64 [B, T]
    mask: Tensor  # bool [B, T], true on tokens, false on padding
    null_id: int

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Tensor | slice) -> Text:
        return Text(self.ids[rows], self.mask[rows], self.null_id)

    @property
    def present(self) -> Tensor:
        return (self.ids[:, 0] != self.null_id) | (self.mask.sum(1) > 1)

    def without(self, mask: Tensor) -> Text:
        gone, null = mask.to(self.ids.device)[:, None], self.null()
        return Text(torch.where(gone, null.ids, self.ids), torch.where(gone, null.mask, self.mask), self.null_id)

    def null(self) -> Text:
        ids, mask = torch.zeros_like(self.ids), torch.zeros_like(self.mask)
        ids[:, 0], mask[:, 0] = self.null_id, True
        return Text(ids, mask, self.null_id)

    def to(self, device: torch.device | str) -> Text:
        return Text(self.ids.to(device), self.mask.to(device), self.null_id)

    @classmethod
    def cat(cls, parts: Sequence[Text]) -> Text:
        kinds = {(p.ids.shape[1], p.null_id) for p in parts}
        if len(kinds) != 1:
            raise UsageError(f"texts of different schemas do not stack: (length, null token) are {sorted(kinds)}")
        return Text(torch.cat([p.ids for p in parts]), torch.cat([p.mask for p in parts]), parts[0].null_id)
