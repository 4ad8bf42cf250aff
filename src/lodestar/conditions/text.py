"""Text as token ids of a fixed length, so that every batch has one shape.

The null of a schema is the empty text, a token of its own whose embedding is learnt, or zeros: no embedding at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..errors import UsageError
from .chances import Drop, check_drop
from .condition import Rows, of_kind
from .tokenizer import NULL, TEXT, Tokenizer


@dataclass(frozen=True)
class Text(Rows):
    """One text a sample. The null is the one token `null_id` and padding: attention always has a token to look at."""

    ids: Tensor  # int64 [B, T]
    mask: Tensor  # bool [B, T], true on tokens, false on padding
    null_id: int

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

    @classmethod
    def cat(cls, parts: Sequence[Text]) -> Text:
        kinds = {(p.ids.shape[1], p.null_id) for p in parts}
        if len(kinds) != 1:
            raise UsageError(f"texts of different schemas do not stack: (length, null token) are {sorted(kinds)}")
        return Text(torch.cat([p.ids for p in parts]), torch.cat([p.mask for p in parts]), parts[0].null_id)


@dataclass(frozen=True)
class TextSchema:
    """A text of at most `length` tokens, the start token included."""

    length: int = 32  # tokens
    null: Literal["empty", "learnt", "zeros"] = "empty"
    drop: Drop = 0.1  # probability; the CFG paper's best were 0.1 and 0.2
    tokenizer: Tokenizer | None = None  # trained on the captions; kept in a file of its own, beside the schema
    kind: ClassVar = "text"

    def __post_init__(self) -> None:
        check_drop(self.drop, self.null, ("empty", "learnt", "zeros"))
        if self.length < 2:
            raise UsageError(f"a text schema needs a length of at least 2 tokens, got {self.length}")

    @property
    def null_id(self) -> int:
        """The token that stands for the null: the bare start of a text if the null is the empty text."""
        return TEXT if self.null == "empty" else NULL

    @property
    def vocab(self) -> int:
        """Number of token ids."""
        return self._tokenizer.size

    def encode(self, values: Sequence[object]) -> Text:
        """Texts to a condition [B]; None is the null. Longer texts are cut, with a warning."""
        rows = [self._ids(v) for v in values]
        if any(len(r) > self.length for r in rows):
            # The same words each time, so that Python shows it once and not at every training step.
            warnings.warn(f"a text of more than {self.length} tokens was cut to {self.length}", stacklevel=2)
        ids = torch.zeros(len(rows), self.length, dtype=torch.int64)
        mask = torch.zeros(len(rows), self.length, dtype=torch.bool)
        for i, row in enumerate(rows):
            kept = torch.tensor(row[: self.length])
            ids[i, : len(kept)], mask[i, : len(kept)] = kept, True
        return Text(ids, mask, self.null_id)

    def check(self, condition: object) -> None:
        """Raise UsageError if a condition is not of this schema."""
        text = of_kind(condition, Text)
        wanted, got = (self.length, self.null_id), (text.ids.shape[1], text.null_id)
        if wanted != got:
            raise UsageError(f"this model is conditioned on texts of (length, null token) {wanted}, got {got}")

    def unseen(self, text: str) -> list[str]:
        """The words of a text that no training text had."""
        return self._tokenizer.unseen(text)

    def _ids(self, value: object) -> list[int]:
        if value is None:
            return [self.null_id]
        if not isinstance(value, str):
            raise UsageError(f"a prompt is a text, got {value!r}")
        return self._tokenizer.encode(value)

    @property
    def _tokenizer(self) -> Tokenizer:
        if self.tokenizer is None:
            raise UsageError("this text schema has no tokenizer: TextSchema(tokenizer=Tokenizer.train(...)) has one")
        return self.tokenizer
