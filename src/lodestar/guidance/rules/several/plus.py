"""Two rules at once: what each adds to its own base is added up. Common practice, as PAG beside CFG; no paper.

    inner + (other - other's base)

Of rules with no guidance it is the inner one, exactly. Each may have its own interval or schedule, and so each
condition: plus(cfg(4), interval(compose(cfg(1), name="other", weight=3), lo=1, hi=5)) adds 3 (c_other - null) inside of
the interval and nothing outside. A sum of affine combinations, whatever the rules are.

Linear in what the rules give, in every space. Cost: what either asks, once.
"""

from __future__ import annotations

from dataclasses import replace

from ....core import Prediction, Step
from ...rule import Asks, Rule, View, Wrapper, check_rule, rule, union
from ..combine.cfg import CFG


@rule
class Plus(Wrapper):
    """A rule and what another one adds."""

    other: Rule = CFG()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rule("other", self.other)

    def begin(self) -> Rule:
        return replace(self, inner=self.inner.begin(), other=self.other.begin())

    def asks(self, at: Step) -> Asks:
        return union(self.inner.asks(at), self.other.asks(at), self.other.base_asks())

    def __call__(self, view: View, at: Step) -> Prediction:
        return self.inner(view, at) + (self.other(view, at) - self.other.base(view))
