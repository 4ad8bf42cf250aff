"""Another rule inside a box of the picture. Bar-Tal et al. 2023, arXiv:2302.08113 (MultiDiffusion).

    inside where left <= column < right and top <= row < bottom, inner elsewhere

Bounds are shares of the width and of the height, and a pixel is where its middle is. The paper takes the mean of all
steps over a pixel, each from the same x; where masks do not overlap that is this choice between predictions, for a step
is affine in them. More regions are more of these, the outer one on top. Another prompt in the box is
region(cfg(4), inside=under(cfg(4), name="other"), right=.5). Parts of any shape are `mask`. Not here are the paper's
crops and its random backgrounds.

A choice by pixel, the same in every space; a rule that takes a norm takes it over the whole picture. Cost: what either
rule asks, once.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ....errors import UsageError
from ...fields import Number, settle, values
from ...rule import rule
from .within import Within, middles


@rule
class Region(Within):
    """A rule, and another one inside a box."""

    left: Number = 0.0  # from the upper left, as all four; ours, the left half
    top: Number = 0.0
    right: Number = 0.5
    bottom: Number = 1.0
    ranges: ClassVar = dict.fromkeys(("left", "top", "right", "bottom"), (0, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, *self.ranges)
        for low, high in (("left", "right"), ("top", "bottom")):
            a, b = getattr(self, low), getattr(self, high)
            if (values(a) > values(b)).any():
                raise UsageError(f"{low} must be at most {high}, got {low}={a} and {high}={b}")

    def of(self, height: int, width: int) -> Tensor:
        rows, columns = _within(self.top, self.bottom, height), _within(self.left, self.right, width)
        return (rows[..., :, None] & columns[..., None, :]).double()


def _within(low: Number, high: Number, n: int) -> Tensor:
    """bool [n] or [B, n]: the pixels whose middles lie in [low, high) of a side of n."""
    return (values(low)[..., None] <= middles(n)) & (middles(n) < values(high)[..., None])
