"""Another rule inside a box of the picture. Bar-Tal et al. 2023, arXiv:2302.08113 (MultiDiffusion).

    inside where left <= column < right and top <= row < bottom, inner elsewhere

Bounds are shares of the width and of the height, and a pixel is where its middle is. The paper takes the mean of all
steps over a pixel, each from the same x; where masks do not overlap that is this choice between predictions, for a step
is affine in them. More regions are more of these, the outer one on top. Another prompt in the box is
region(cfg(4), inside=under(cfg(4), name="other"), right=.5). Not here are the paper's crops, its random backgrounds,
and masks of any shape, which no text could say: a rule of one's own has them in ten lines.

A choice by pixel, the same in every space; a rule that takes a norm takes it over the whole picture. Cost: what either
rule asks, once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from ....core import Prediction, Step, lerp
from ....errors import UsageError
from ...fields import Number, settle, values
from ...rule import Asks, Rule, View, Wrapper, check_rule, rule, union
from ..subtract.cfg import CFG


@rule
class Region(Wrapper):
    """A rule, and another one inside a box."""

    inside: Rule = CFG()
    left: Number = 0.0  # from the upper left, as all four; ours, the left half
    top: Number = 0.0
    right: Number = 0.5
    bottom: Number = 1.0
    ranges: ClassVar = dict.fromkeys(("left", "top", "right", "bottom"), (0, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rule("inside", self.inside)
        settle(self, *self.ranges)
        for low, high in (("left", "right"), ("top", "bottom")):
            a, b = getattr(self, low), getattr(self, high)
            if (values(a) > values(b)).any():
                raise UsageError(f"{low} must be at most {high}, got {low}={a} and {high}={b}")

    def begin(self) -> Rule:
        return replace(self, inner=self.inner.begin(), inside=self.inside.begin())

    def asks(self, at: Step) -> Asks:
        return union(self.inner.asks(at), self.inside.asks(at))

    def __call__(self, view: View, at: Step) -> Prediction:
        return lerp(self.inner(view, at), self.inside(view, at), self.mask(view.x))

    def base_asks(self) -> Asks:
        return union(self.inner.base_asks(), self.inside.base_asks())

    def base(self, view: View) -> Prediction:
        return lerp(self.inner.base(view), self.inside.base(view), self.mask(view.x))

    def mask(self, x: Tensor) -> Tensor:
        """1 inside and 0 elsewhere, [B or 1, 1, ..., H, W], for pictures x [B, ..., H, W]."""
        if x.ndim < 3:
            raise UsageError(f"a region is of pictures [B, ..., H, W], and x is {[*x.shape]}")
        rows, columns = _within(self.top, self.bottom, x.shape[-2]), _within(self.left, self.right, x.shape[-1])
        both = rows[..., :, None] & columns[..., None, :]  # [H, W] or [B, H, W]
        return both.double().reshape(-1, *[1] * (x.ndim - 3), *x.shape[-2:]).to(x.device)


def _within(low: Number, high: Number, n: int) -> Tensor:
    """bool [n] or [B, n]: the pixels whose middles lie in [low, high) of a side of n."""
    middles = (torch.arange(n) + 0.5).double() / n
    return (values(low)[..., None] <= middles) & (middles < values(high)[..., None])
