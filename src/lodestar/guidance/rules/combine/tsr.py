"""Temporal score rescaling: another temperature for the local spread of the data. Xu et al. 2025, arXiv:2510.01184,
eq. 6.

    eps' = r eps,    r = (alpha^2 s^2 + sigma^2) / (alpha^2 s^2 / k + sigma^2)

r goes from 1 in pure noise to k in clean data. k 1: the inner rule, exactly. Gaussian data of standard deviation s come
out with s / sqrt(k), exactly. Of data in clusters of that spread each becomes narrower (k > 1) or wider (k < 1) and
keeps its weight, which it would not under a power of the density.

Space: eps, which is the score's. It acts on the guided prediction; for a linear rule that is the same as on each one
that it is made of. It goes around the rules that guide and inside thresholds. Cost: that of the rule inside.
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step, per_sample
from ...fields import Number, settle, values
from ...ops import shift
from ...rule import Asks, View, Wrapper, rule


@rule
class TSR(Wrapper):
    """A rule at another temperature of sampling."""

    k: Number = 0.95  # inverse temperature; of ComfyUI's node
    spread: Number = 1.0  # s: the local standard deviation of the data, in its own units; the same node's
    ranges: ClassVar = {"k": (1e-6, 1e6), "spread": (1e-6, 1e6)}
    neutral: ClassVar = {"k": 1.0}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": "it changes every prediction, guided or not"}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "k", "spread")

    def asks(self, at: Step) -> Asks:
        return self.inner.asks(at)

    def __call__(self, view: View, at: Step) -> Prediction:
        p, k = self.inner(view, at), values(self.k)
        signal = (at.level.alpha.cpu() * values(self.spread)) ** 2
        more = signal * (1 - 1 / k) / (signal / k + at.level.sigma.cpu() ** 2)  # r - 1, with no rounding where k is 1
        return shift(p, "eps", per_sample(more, p.eps) * p.eps, at.level)
