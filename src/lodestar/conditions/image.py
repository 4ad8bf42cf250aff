"""Pictures as a condition: one to edit, a smaller one to enlarge, a sketch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..errors import UsageError
from .chances import Drop, check_drop
from .condition import of_kind
from .dense import Dense


@dataclass(frozen=True)
class Image(Dense):
    """One picture a sample: values [B, C, H, W] in [-1, 1]. The null is zeros."""

    axes: ClassVar = "B, C, H, W"


@dataclass(frozen=True)
class ImageSchema:
    """A picture of one shape; the network brings it to its own side."""

    shape: tuple[int, int, int]  # C, H, W
    null: Literal["zeros"] = "zeros"
    drop: Drop = 0.1  # probability; the CFG paper's best were 0.1 and 0.2
    kind: ClassVar = "image"

    def __post_init__(self) -> None:
        check_drop(self.drop, self.null, ("zeros",))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise UsageError(f"the shape of an image is channels, height and width, got {self.shape}")

    def encode(self, values: Sequence[object]) -> Image:
        """Pictures [C, H, W] in [-1, 1] to a condition [B]; None is the null. Raises UsageError on another shape."""
        return Image.of(values, self.shape)

    def check(self, condition: object) -> None:
        """Raise UsageError if a condition is not of this schema."""
        shape = of_kind(condition, Image).values.shape[1:]
        if shape != self.shape:
            raise UsageError(f"this model is conditioned on images {list(self.shape)}, got {list(shape)}")
