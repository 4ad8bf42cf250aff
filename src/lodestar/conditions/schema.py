"""What a model is conditioned on: kind, null, and how often training dropped it. Saved with the model.

The null of a schema is one of

    learnt   a parameter of the network's own
    zeros    nothing at all: the embedding is zero
    empty    the empty text (texts only)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ..errors import UsageError, unknown
from .chances import Drop, DropRamp, most
from .image import ImageSchema
from .joint import JointSchema, PartSchema
from .label import LabelSchema
from .text import TextSchema
from .tokenizer import Tokenizer
from .vector import VectorSchema

# What a user asks for: a text, a class by name or number, of a joint schema what is what by part, or the null.
Value = str | int | Mapping[str, object] | None
Schema = PartSchema | JointSchema | None  # None: unconditional

KINDS = {cls.kind: cls for cls in (LabelSchema, TextSchema, ImageSchema, VectorSchema, JointSchema)}


def guidable(schema: Schema, drop: bool | frozenset[str] = True) -> bool:
    """Whether the model has seen this null in training, of all that can be dropped or of these parts together, so that
    there is something to guide away from."""
    if isinstance(schema, JointSchema):
        parts = frozenset(schema.parts) - schema.always if isinstance(drop, bool) else drop
        return parts in schema.dropped
    return schema is not None and most(schema.drop) > 0


def singles(schema: Schema) -> tuple[PartSchema, ...]:
    """The schemas of one kind each that this one is made of."""
    if isinstance(schema, JointSchema):
        return tuple(schema.parts.values())
    return () if schema is None else (schema,)


def tokenizer_in(schema: Schema) -> Tokenizer | None:
    """The tokenizer of its texts."""
    return next((s.tokenizer for s in singles(schema) if isinstance(s, TextSchema)), None)


def schema_to_json(schema: Schema) -> dict[str, Any] | None:
    """A JSON object with a `kind` tag; a text schema's tokenizer is not in it."""
    if schema is None:
        return None
    return {"kind": schema.kind, **{f.name: _plain(getattr(schema, f.name)) for f in fields(schema) if f.name != _FILE}}


def schema_from_json(data: Mapping[str, object] | None, tokenizer: Tokenizer | None = None) -> Schema:
    """The schema that `schema_to_json` wrote, with its tokenizer. Raises UsageError if it is not one."""
    if data is None:
        return None
    if not isinstance(data, Mapping) or "kind" not in data:
        raise UsageError("a schema is null or an object with a 'kind'")
    kind, given = str(data["kind"]), {k: v for k, v in data.items() if k != "kind"}
    if kind not in KINDS:
        raise unknown("condition kind", kind, KINDS)
    try:
        return _built(KINDS[kind], given, tokenizer)
    except (TypeError, AttributeError) as error:
        raise UsageError(f"damaged schema: {error}") from None


_FILE = "tokenizer"  # the field that is kept in a file of its own


def _plain(value: object) -> object:
    """A field as JSON values."""
    if isinstance(value, DropRamp):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return schema_to_json(value) if isinstance(value, PartSchema) else value


def _built(cls: Any, given: dict[str, Any], tokenizer: Tokenizer | None) -> Schema:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    if "drop" in values:
        values["drop"] = _drop(values["drop"], cls is JointSchema)
    if "parts" in values:
        values["parts"] = {name: schema_from_json(part, tokenizer) for name, part in values["parts"].items()}
    return cls(**values, **({_FILE: tokenizer} if cls is TextSchema else {}))


def _drop(value: Any, table: bool = False) -> Mapping[str, Drop] | Drop:
    """A probability, a ramp, or a table of both."""
    if not isinstance(value, Mapping):
        return value
    if table:
        return {entry: _drop(each) for entry, each in value.items()}  # type: ignore[misc]
    return DropRamp(**{**value, "at": tuple(value.get("at", ()))})
