"""What a model is conditioned on: kind, null, and how often training dropped it. Saved with the model.

The null of a schema is one of

    learnt   a parameter of the network's own
    zeros    nothing at all: the embedding is zero
    empty    the empty text (texts only)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from ..errors import UsageError, unknown
from .label import Label
from .text import Text
from .tokenizer import NULL, TEXT, Tokenizer

Value = str | int | None  # what a user asks for: a text, a class by name or number, or the null


@dataclass(frozen=True)
class LabelSchema:
    """A class of a fixed list."""

    classes: tuple[str, ...]
    null: Literal["learnt", "zeros"] = "learnt"
    drop: float = 0.1  # probability; the CFG paper's best were 0.1 and 0.2

    def __post_init__(self) -> None:
        _check(self.null, ("learnt", "zeros"), self.drop)
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise UsageError("classes must be a list of different names, with at least one in it")

    def encode(self, values: Sequence[Value]) -> Label:
        """Class names or numbers, also as text, to a condition [B]; None is the null. A name goes before a number.

        Raises UsageError on an unknown class.
        """
        return Label(torch.tensor([self._index(v) for v in values], dtype=torch.int64))

    def _index(self, value: Value) -> int:
        if value is None:
            return -1
        if isinstance(value, str) and value in self.classes:
            return self.classes.index(value)
        if isinstance(value, str) and not value.isdecimal():
            raise unknown("class", value, self.classes)
        if isinstance(value, str | int) and 0 <= int(value) < len(self.classes):
            return int(value)
        raise UsageError(f"a class is a name or a number from 0 to {len(self.classes) - 1}, got {value!r}")


@dataclass(frozen=True)
class TextSchema:
    """A text of at most `length` tokens, the start token included."""

    length: int = 32  # tokens
    null: Literal["empty", "learnt", "zeros"] = "empty"
    drop: float = 0.1  # probability; the CFG paper's best were 0.1 and 0.2
    tokenizer: Tokenizer | None = None  # trained on the captions; kept in a file of its own, beside the schema

    def __post_init__(self) -> None:
        _check(self.null, ("empty", "learnt", "zeros"), self.drop)
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

    def encode(self, values: Sequence[Value]) -> Text:
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

    def unseen(self, text: str) -> list[str]:
        """The words of a text that no training text had."""
        return self._tokenizer.unseen(text)

    def _ids(self, value: Value) -> list[int]:
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


Schema = LabelSchema | TextSchema | None  # None: unconditional


def guidable(schema: Schema) -> bool:
    """Whether the model has seen its null in training, so that there is something to guide away from."""
    return schema is not None and schema.drop > 0


def schema_to_json(schema: Schema) -> dict[str, object] | None:
    """A JSON object with a `kind` tag; a text schema's tokenizer is not in it."""
    if schema is None:
        return None
    if isinstance(schema, LabelSchema):
        return {"kind": "label", "classes": list(schema.classes), "null": schema.null, "drop": schema.drop}
    return {"kind": "text", "length": schema.length, "null": schema.null, "drop": schema.drop}


def schema_from_json(data: Mapping[str, object] | None, tokenizer: Tokenizer | None = None) -> Schema:
    """The schema that `schema_to_json` wrote, with its tokenizer. Raises UsageError if it is not one."""
    if data is None:
        return None
    if not isinstance(data, Mapping) or "kind" not in data:
        raise UsageError("a schema is null or an object with a 'kind'")
    fields = {k: v for k, v in data.items() if k != "kind"}
    try:
        return _build(str(data["kind"]), fields, tokenizer)
    except TypeError as error:
        raise UsageError(f"damaged schema: {error}") from None


def _build(kind: str, fields: dict, tokenizer: Tokenizer | None) -> Schema:
    if kind == "label":
        return LabelSchema(**{**fields, "classes": tuple(fields["classes"])} if "classes" in fields else fields)
    if kind == "text":
        return TextSchema(**fields, tokenizer=tokenizer)
    raise unknown("condition kind", kind, ("label", "text"))


def _check(null: str, nulls: tuple[str, ...], drop: float) -> None:
    if null not in nulls:
        raise unknown("null", str(null), nulls)
    if not 0 <= drop <= 1:
        raise UsageError(f"a drop probability lies in [0, 1], got {drop}")
