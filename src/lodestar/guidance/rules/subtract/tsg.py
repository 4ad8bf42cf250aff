"""Time-step guidance: away from a prediction that is told another noise. Sadat et al. 2024, arXiv:2407.02687, Alg. 2.

    guided = told + scale (cond - told)        told: the network is told sigma/alpha times e^(spread n), n normal

scale 1: the conditional, 0: the told one, both exactly; spread 0: the conditional. The paper adds noise s t^a n to the
embedding of the time step; most networks do not show theirs, so here the noise is on log(sigma/alpha) itself, in both
directions as there, and works with every network. n is a function of (seed, step), the same in both evaluations of a
step; all samples draw alike unless each has a seed of its own. The paper tunes scale, s and a by model and names no
defaults.

Space: x0, the paper's D, for every network: what the told one takes the noise to be is another thing than what x says.
Cost: 2 network rows. Works without a condition. Needs the network's process.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from ....core import Prediction, Step, convert, lerp
from ...fields import Number, settle, values, weight
from ...ops import with_x0
from ...rule import Ask, View, rule
from .against import NOT_THE_NULL, Against
from .draws import draws, settle_seed


@rule
class TSG(Against):
    """Guidance away from a prediction at a wrong noise level."""

    scale: Number = 2.0  # ours
    spread: Number = 0.3  # of log(sigma/alpha), a standard deviation; ours
    seed: Number = 0.0
    ranges: ClassVar = {"spread": (0, 2)}
    other = "told"
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": NOT_THE_NULL}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "spread")
        settle_seed(self, "seed")

    def asked(self, at: Step) -> Ask:
        n = draws(self.seed, at, lambda g: torch.randn((), generator=g, dtype=torch.float64))
        return Ask(level=(values(self.spread) * n).exp())

    def __call__(self, view: View, at: Step) -> Prediction:
        still = convert("v", torch.zeros_like(view.x), view.x, at.level)  # any prediction of x, where sigma is 0 too
        told = with_x0(still, view[self.other].x0, at.level)
        return lerp(told, view["cond"], weight(self.scale, view.x))
