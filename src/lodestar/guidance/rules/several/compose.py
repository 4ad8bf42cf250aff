"""Another condition beside those of a rule, by its weight. Liu et al. 2022, arXiv:2206.01714, eq. 11 and 13.

    inner + weight (c_named - null)        weight 0: the inner rule, exactly; below 0: NOT

Around cfg(s) it is the paper's null + s (c - null) + weight (c_named - null), and around itself that of as many
conditions as there are. Weights are not normalised, and each is a scale like that of cfg. Negation is the paper's, from
the null: to put a negative in the null's place is another rule (`negative`).

Linear, hence the same in every space. Cost: a row for each condition besides the inner rule's, and one for the null.
"""

from __future__ import annotations

from ....core import Prediction, Step
from ...fields import values, weight
from ...rule import ALL, Ask, Asks, View, rule, union
from .named import Weighed


@rule
class Compose(Weighed):
    """A rule and another condition beside its own."""

    def asks(self, at: Step) -> Asks:
        on = values(self.weight) != 0
        pull = {self.key: Ask(replace=self.name, rows=on), "null": Ask(drop=ALL, rows=on)}
        return union(self.inner.asks(at), pull)

    def __call__(self, view: View, at: Step) -> Prediction:
        return self.inner(view, at) + (view[self.key] - view["null"]) * weight(self.weight, view.x)
