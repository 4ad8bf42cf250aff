"""Perp-Neg: away from a negative condition, but for what it has in common with the main one. Armandpour et al. 2023,
arXiv:2304.04968, in the form of the authors' code.

    inner - weight (d_neg - <d_neg, d> / ||d||^2 d)        d = c - null, d_neg = c_named - null

weight 0: the inner rule, exactly. Around cfg(s) it is the authors' s (d - w perp) with weight = s w, and around itself
that of several negatives, each made perpendicular to d; with a weight below 0 the condition is one more positive,
perpendicular as well. The null is the null, not the negative. The product is over each sample (the authors' 2-D script
has one for the batch). A projection is no longer than what is projected, so that a small d does no harm.

All d are in proportion in every space, and so are the projections: the same in every space. Cost: a row for each
negative besides cfg's two.
"""

from __future__ import annotations

from ....core import Prediction, Step
from ...fields import values, weight
from ...ops import along
from ...rule import ALL, Ask, Asks, View, rule, union
from .named import Weighed


@rule
class PerpNeg(Weighed):
    """A rule and the perpendicular part of a negative condition."""

    name: str = "negative"

    def asks(self, at: Step) -> Asks:
        on = values(self.weight) != 0
        own = {"cond": Ask(rows=on), self.key: Ask(replace=self.name, rows=on), "null": Ask(drop=ALL, rows=on)}
        return union(self.inner.asks(at), own)

    def __call__(self, view: View, at: Step) -> Prediction:
        main, negative = (view[name] - view["null"] for name in ("cond", self.key))
        apart = negative - main * along(negative.x0, main.x0)
        return self.inner(view, at) - apart * weight(self.weight, view.x)
