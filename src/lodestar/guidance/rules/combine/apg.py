"""Adaptive projected guidance. Sadat et al. 2024, arXiv:2410.02416, Alg. 1.

    d = cond - null
    d = d + momentum d_old               the running sum, kept for the next step as it is here
    d = d min(1, r / ||d||)
    guided = cond + (scale - 1) (d_across + eta d_along)        split along and across cond

Space: x0, as in the paper, for every network; norms and products are per sample, over all axes but the batch. scale 1:
the conditional, exactly. scale 0 is the null only with momentum 0, r 0 and eta 1, where it is classifier-free guidance.
Cost: 2 network rows. Checked against five transcriptions of Algorithm 1; the paper's own code was not to be had.

What is left open: r is an absolute norm, so it depends on the resolution, the channels and the scale of the data; 0 is
off. The sum is of a trajectory, and a sample's goes on only where the rule acts on it: not outside of an interval. A
corrector (Heun's second evaluation) reads the sum, as the next step will at that level, but adds nothing to it.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from ....core import Prediction, Step, per_sample
from ...fields import Number, settle, values, weight
from ...ops import along, asked, norm, shift
from ...rule import ALL, Ask, Asks, View, rule
from ..remembering import Remembering


@rule
class APG(Remembering):
    """Guidance across the conditional, bounded, with reverse momentum."""

    scale: Number = 4.0  # the paper's for EDM2
    momentum: Number = -0.75  # the paper's beta, below 0; this and r as the ports of Alg. 1 have them
    r: Number = 2.5  # the longest d; 0: any
    eta: Number = 0.0  # how much of what is along cond; the paper's, in every experiment
    ranges: ClassVar = {"momentum": (-1, 1), "r": (0, inf)}
    neutral: ClassVar = {"scale": 1.0}

    def __post_init__(self) -> None:
        settle(self, "scale", "momentum", "r", "eta")

    def asks(self, at: Step) -> Asks:
        return {"cond": Ask(), "null": Ask(drop=ALL, rows=values(self.scale) != 1)}

    def __call__(self, view: View, at: Step) -> Prediction:
        cond, r = view["cond"], values(self.r).to(view.x.device)
        d = self.summed(cond.x0 - view["null"].x0, asked(view["null"]), at)
        d = per_sample(torch.where(r > 0, (r / norm(d)).clamp(max=1), 1), d) * d
        d = d - per_sample((1 - weight(self.eta, d)) * along(d, cond.x0), d) * cond.x0
        return shift(cond, "x0", per_sample(weight(self.scale, d) - 1, d) * d, at.level)

    def summed(self, d: Tensor, acts: Tensor, at: Step) -> Tensor:
        """d with what went before, which the next step finds."""
        past = self.past[0] if self.past else torch.zeros_like(d)
        total = d + per_sample(weight(self.momentum, d), d) * past
        if self.past is not None and at.part == 0:
            self.past[:] = [torch.where(acts, total, past)]
        return total
