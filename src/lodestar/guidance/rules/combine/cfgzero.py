"""CFG-Zero*. Fan et al. 2025, arXiv:2503.18886, and the authors' code (WeichenFan/CFG-Zero-star).

    s = <cond, null> / ||null||^2                       the multiple of the null that is nearest to cond
    guided = s null + scale (cond - s null)
    guided = 0                                          in the first zero_steps steps, where nothing is evaluated

Space: the velocity dx/du, for every network; products are per sample, over all axes but the batch. s does not depend on
how fast u runs, so it is defined for every process, not for flows alone, which the paper is about. scale 1: the
conditional, exactly; 0: the null times s. Neutral: scale 1 and zero_steps 0. Cost: 2 network rows, none in zero steps.

What is left open: zero_steps counts steps, whatever a solver evaluates in one, and 1 is the first step alone; the
authors' scripts count from 0, and advise 4 % of the steps. With no velocity x stays as it is on a flow. On other
processes only `euler`, which follows dx/du, leaves x: in DDIM's steps a variance preserving one shrinks it by
cos(angle - angle'). `dpmpp_2m` remembers the x0 = x of a zero step but of one from alpha = 0, and `unipc` corrects such
steps by what comes after: they are for the other samplers. A floor takes the place of the authors' 1e-8.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from ....core import Prediction, Step, convert, lerp, per_sample
from ...fields import Number, settle, values, weight
from ...ops import along, choose, shift
from ...rule import ALL, Ask, Asks, Rule, View, restrict, rule


@rule
class CFGZero(Rule):
    """Guidance away from the nearest multiple of the null, standing still at first."""

    scale: Number = 4.0  # ours, as for cfg
    zero_steps: Number = 1.0  # the authors' for images
    ranges: ClassVar = {"zero_steps": (0, inf)}
    neutral: ClassVar = {"scale": 1.0, "zero_steps": 0.0}
    exempt: ClassVar = {
        "cond_equal_to_null_changes_nothing_at_first": "the first step has no velocity, whatever is predicted"
    }

    def __post_init__(self) -> None:
        settle(self, "scale", "zero_steps")

    def still(self, at: Step) -> Tensor:
        """bool [] or [B]: is this one of the first steps?"""
        return at.index < values(self.zero_steps)

    def asks(self, at: Step) -> Asks:
        asks = {"cond": Ask(), "null": Ask(drop=ALL, rows=values(self.scale) != 1)}
        return restrict(asks, ~self.still(at))

    def __call__(self, view: View, at: Step) -> Prediction:
        still, zero = self.still(at), convert("flow", torch.zeros_like(view.x), view.x, at.level)
        if still.all():
            return zero
        cond, null = view["cond"].velocity(at.level), view["null"].velocity(at.level)
        scaled = shift(view["null"], "flow", per_sample(along(cond, null) - 1, null) * null, at.level)
        return choose(still, zero, lerp(scaled, view["cond"], weight(self.scale, view.x)))
