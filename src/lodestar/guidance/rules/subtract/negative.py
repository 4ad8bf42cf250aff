"""Negative condition: guidance away from a second condition in place of the null. Common practice, no paper.

    guided = negative + scale (cond - negative)        scale 1: the conditional, 0: the negative, both exactly

Linear, hence the same in every space. Cost: 2 network rows, 1 at scale 0 or 1. Reads the condition named "negative"; a
NOT with a weight of its own beside the null is another rule (`compose`).
"""

from __future__ import annotations

from ...rule import Ask, rule
from .against import Against


@rule
class Negative(Against):
    """Guidance away from a negative condition."""

    other = "negative"
    ask = Ask(replace="negative")
