"""Sample strips: what the averaged model makes of a few held-out prompts, from the same seeds every time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..conditions import ImageSchema, JointSchema, LabelSchema, PartSchema, Schema, TextSchema, Value, singles
from ..data import Batch
from ..model import Model
from ..pictures import from_uint8, save_png, strip
from ..request import UnseenWords

SHOWN, EACH, BARE = 8, 4, 16  # prompts, samples of each, samples where there are no prompts


def save_strip(model: Model, held: Batch, path: Path) -> None:
    """A row for each prompt, the picture before it first where there is one."""
    prompts = prompts_of(model.schema, held)
    with warnings.catch_warnings(action="ignore", category=UnseenWords):  # held-out captions may well have some
        result = model.sample(prompts or None, n=EACH if prompts else BARE, seed=0)
    before = _before(model, held)
    if before is None:
        result.save(path)
        return
    rows = [torch.cat([b, a]) for b, a in zip(before.split(1), result.images.split(EACH), strict=False)]
    labels = (held.texts or [""] * len(rows))[: len(rows)]
    save_png(strip(rows, labels, f"the picture before, and {EACH} after"), path, result.recipe)


def prompts_of(schema: Schema, held: Batch) -> Sequence[Value]:
    """Different held-out captions, the first classes, or what is known of the first held-out pictures."""
    if isinstance(schema, TextSchema):
        return [text for text in dict.fromkeys(held.texts or ()) if text.strip()][:SHOWN]
    if isinstance(schema, LabelSchema):
        return list(schema.classes[:SHOWN])
    if isinstance(schema, JointSchema):
        values = [_values(part, held[:SHOWN], name) for name, part in schema.parts.items()]
        return [dict(zip(schema.parts, row, strict=True)) for row in zip(*values, strict=True)]
    return () if schema is None else _values(schema, held[:SHOWN], schema.kind)


def _values(part: PartSchema, held: Batch, name: str) -> list[Value]:
    """What each picture's prompt says of this part; None where there is nothing to say."""
    if isinstance(part, TextSchema):
        return [text if text.strip() else None for text in held.texts or ()]
    if isinstance(part, LabelSchema):
        labels = [] if held.labels is None else held.labels.tolist()
        return [None if index < 0 else index for index in labels]
    values = held.conditions[name]
    return list(from_uint8(values) if isinstance(part, ImageSchema) else values)


def _before(model: Model, held: Batch) -> Tensor | None:
    """The pictures that the model was given, uint8 [B, H, W, C], where they are as large as those that it makes."""
    images = held.conditions.get("image")
    given = any(isinstance(s, ImageSchema) for s in singles(model.schema))
    return images.movedim(1, -1) if images is not None and given and images.shape[1:] == model.shape else None
