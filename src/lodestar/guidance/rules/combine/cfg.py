"""Classifier-free guidance. Ho & Salimans 2022, arXiv:2207.12598, eq. 6, with scale = 1 + w.

    guided = null + scale (cond - null)        scale 1: the conditional, 0: the null, both exactly

Linear, hence the same in every space. Cost: 2 network rows, 1 at scale 0 or 1.
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step, lerp
from ...fields import Number, number, settle, values, weight
from ...rule import ALL, Ask, Asks, Rule, View, rule


@rule
class CFG(Rule):
    """Classifier-free guidance."""

    scale: Number = 4.0  # ours; the paper sweeps w from 0 to 4
    neutral: ClassVar = {"scale": 1.0}

    def __post_init__(self) -> None:
        settle(self, "scale")

    @classmethod
    def from_w(cls, w: Number) -> CFG:
        """The paper's own guidance strength, w = scale - 1."""
        w = number("w", w)
        return cls([1 + k for k in w] if isinstance(w, tuple) else 1 + w)

    def asks(self, at: Step) -> Asks:
        scale = values(self.scale)
        return {"cond": Ask(rows=scale != 0), "null": Ask(drop=ALL, rows=scale != 1)}

    def __call__(self, view: View, at: Step) -> Prediction:
        return lerp(view["null"], view["cond"], weight(self.scale, view.x))
