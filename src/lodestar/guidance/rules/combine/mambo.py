"""MAMBO-G. Zhu et al. 2025, arXiv:2508.03442, as the authors gave it to diffusers.

    guided = null + (1 + (scale - 1) e^{-damping r}) (cond - null),   r = ||cond - null|| / ||null||

Space: the velocity dx/du, as in the paper, for every network; norms are per sample, over all axes but the batch, and r
does not depend on how fast u runs. scale 1: the conditional, exactly. scale 0 is the null only where r or damping is 0:
below 1 too it is the distance from 1 that is damped. damping 0: classifier-free guidance. Cost: 2 network rows.

What is left open: the authors' page prints 1 + w_max e^{-alpha r}, which is this with w_max = scale - 1. Where the null
is 0 and cond is not, r is beyond all bounds and the conditional is what is left.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

import torch

from ....core import Prediction, Step, lerp
from ...fields import Number, settle, values, weight
from ...ops import norm
from ...rule import ALL, Ask, Asks, Rule, View, rule


@rule
class Mambo(Rule):
    """Guidance that is damped where it is large beside the null."""

    scale: Number = 10.0  # this and damping the authors', in diffusers
    damping: Number = 8.0  # the paper's alpha
    ranges: ClassVar = {"damping": (0, inf)}
    neutral: ClassVar = {"scale": 1.0}

    def __post_init__(self) -> None:
        settle(self, "scale", "damping")

    def asks(self, at: Step) -> Asks:
        return {"cond": Ask(), "null": Ask(drop=ALL, rows=values(self.scale) != 1)}

    def __call__(self, view: View, at: Step) -> Prediction:
        cond, null = view["cond"].velocity(at.level), view["null"].velocity(at.level)
        share = torch.exp(-weight(self.damping, null) * norm(cond - null) / norm(null))
        return lerp(view["null"], view["cond"], 1 + (weight(self.scale, null) - 1) * share)
