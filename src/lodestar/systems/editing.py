"""Editing by instruction: a picture and a text to pictures that follow it. Brooks et al. 2022, arXiv:2211.09800.

A model will do that is conditioned on one text and one picture; the rule `edit` has a scale for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..conditions import ImageSchema, JointSchema, TextSchema
from ..data.images import Picture, Unreadable, attempt
from ..errors import UsageError
from ..generate import sample
from ..pictures import from_uint8
from ..request import Samples
from ..result import Result


def edit(model: Samples, picture: Path | str | Tensor, instruction: str | Sequence[str], **options: Any) -> Result:
    """Pictures that follow an instruction, or each of several, from the same picture.

    Args:
        picture: a file, which is brought to the model's size as training's are (data.images.POLICY), or the pixels of
            that size, uint8 [H, W, 3].
        options: those of `lodestar.sample`.

    Raises UsageError where it cannot be done.
    """
    text, image = parts(model)
    pixels = fitted(model, picture).pixels.movedim(0, -1) if isinstance(picture, str | Path) else picture
    values = from_uint8(_checked(pixels)).movedim(-1, 0)
    said = [instruction] if isinstance(instruction, str) else list(instruction)
    if not said or not all(isinstance(each, str) and each.strip() for each in said):
        raise UsageError("the instruction is empty: say what to change, as 'make the circle green'")
    return sample(model, [{text: each, image: values} for each in said], **options)


def parts(model: Samples) -> tuple[str, str]:
    """What a model calls its text and its picture. Raises UsageError for one that is not conditioned on one of each."""
    named = model.schema.parts if isinstance(model.schema, JointSchema) else {}
    texts, images = ([name for name, s in named.items() if isinstance(s, kind)] for kind in (TextSchema, ImageSchema))
    if len(texts) != 1 or len(images) != 1:
        needs = "it is not conditioned on a text and a picture"
        raise UsageError(
            f"model '{model.name}' cannot edit: {needs} (lodestar train --preset edit-32 makes one that is)"
        )
    return texts[0], images[0]


def fitted(model: Samples, path: Path | str) -> Picture:
    """A picture file as the model takes it, uint8 [3, R, R], and what was changed. Raises UsageError if it is none."""
    side = _side(model)
    try:
        read = attempt(Path(path).read_bytes(), side)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if isinstance(read, Unreadable):
        raise UsageError(f"{path} is no picture: {read}")
    return read


def _side(model: Samples) -> int:
    """Of the square RGB pictures that the model is given. Raises UsageError for others."""
    _, name = parts(model)
    part = model.schema.parts[name]  # type: ignore[union-attr]  # which has parts, as they have been found
    channels, height, width = part.shape  # type: ignore[union-attr]
    if channels != 3 or height != width:
        raise UsageError(f"model '{model.name}' takes pictures of {[channels, height, width]}: give pixels, not a file")
    return height


def _checked(pixels: Tensor) -> Tensor:
    if not isinstance(pixels, Tensor):
        mend = "torch.from_numpy makes such a tensor of an array"
        raise UsageError(f"a picture to edit is a file, or pixels uint8 [H, W, C], got {type(pixels).__name__}: {mend}")
    if pixels.dtype != torch.uint8 or pixels.ndim != 3:
        raise UsageError(f"pixels to edit must be uint8 [H, W, C], got {pixels.dtype} {list(pixels.shape)}")
    return pixels
