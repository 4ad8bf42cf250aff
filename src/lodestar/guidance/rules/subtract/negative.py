"""Negative condition: guidance away from a second condition in place of the null. Common practice, no paper.

    guided = negative + scale (cond - negative)        scale 1: the conditional, 0: the negative, both exactly

Linear, hence the same in every space. Reads the condition named "negative"; a NOT with a weight of its own beside the
null is another rule (composable diffusion).
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step, lerp
from ...fields import Number, settle, values, weight
from ...rule import Ask, Asks, Rule, View, rule


@rule
class Negative(Rule):
    """Guidance away from a negative condition."""

    scale: Number = 4.0  # ours, as for cfg
    neutral: ClassVar = {"scale": 1.0}

    def __post_init__(self) -> None:
        settle(self, "scale")

    def asks(self, at: Step) -> Asks:
        scale = values(self.scale)
        return {"cond": Ask(rows=scale != 0), "negative": Ask(replace="negative", rows=scale != 1)}

    def __call__(self, view: View, at: Step) -> Prediction:
        return lerp(view["negative"], view["cond"], weight(self.scale, view.x))
