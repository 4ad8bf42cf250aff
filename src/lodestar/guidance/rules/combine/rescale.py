"""Guidance rescale: the guided v back to the standard deviation of the conditional. Lin et al. 2023, arXiv:2305.08891,
sec. 3.4, eq. 14-16.

    v' = phi v std(v_cond) / std(v) + (1 - phi) v        phi 0: the inner rule, exactly

Space: v, as in the paper, for every network; diffusers takes whatever the network puts out. std is per sample, about
the mean, over all axes but the batch, with a floor. Always to the conditional, whatever the rule inside: that one is
left as it is. Cost: that of the rule inside, and the conditional's row where it asks for none.
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step
from ...fields import Number, settle, values, weight
from ...ops import scale_v, std
from ...rule import Ask, Asks, View, Wrapper, rule, union


@rule
class Rescale(Wrapper):
    """A rule whose v is brought back to the conditional one's standard deviation."""

    phi: Number = 0.7  # how much of it; the paper's
    neutral: ClassVar = {"phi": 0.0}
    ranges: ClassVar = {"phi": (0, 1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "phi")

    def asks(self, at: Step) -> Asks:
        return union(self.inner.asks(at), {"cond": Ask(rows=values(self.phi) != 0)})

    def __call__(self, view: View, at: Step) -> Prediction:
        guided = self.inner(view, at)
        ratio = std(view["cond"].v(at.level)) / std(guided.v(at.level))
        return scale_v(guided, 1 + weight(self.phi, view.x) * (ratio - 1), at.level)
