"""Adaptive guidance: none once the predictions agree. Castillo et al. 2023, arXiv:2312.12487.

    inner until cos(base, other) >= threshold, inner's base from the next step on

other is each prediction that inner asks besides its base's (the null of `cfg`, a negative), and all have to agree. For
each sample on its own, for good, and until the next trajectory. The step at which it is seen is guided still, for its
evaluations are made; so is a corrector of that step.

What is left open: the paper takes the cosine of eps, and 0.991. In pure noise every eps is x, so that what begins there
would never be guided. Hence a sample counts as agreeing only after it has been below the threshold. And the eps of
scenes-32 agree the more the noisier x is (0.9999 at first, 0.988 at last), so that the default is the cosine of x0, as
in asagi4's ComfyUI-Adaptive-Guidance, which rises: from 0.84 past 0.999 after 8 of 20 steps. A threshold belongs to its
data. Nothing is asked for the sake of comparing: a rule that asks for gradients, or not for its own base, never agrees,
nor does a sample for which nothing else is asked. The paper's LinearAG, which estimates the null from those before, is
another rule.

Space: x0, or that of `space`. Cost: in network rows of cfg 2 until then, 1 after.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from ....core import KINDS, Kind, Prediction, Step
from ....errors import unknown
from ...fields import Number, settle, values
from ...ops import dot
from ...rule import View, rule
from ..remembering import Remembering
from .weighted import Weighted


@rule
class Adaptive(Remembering, Weighted):
    """A rule that each sample leaves once its predictions agree."""

    threshold: Number = 0.999  # above 1: never; ours, with x0
    space: Kind = "x0"  # ours; the paper's: eps
    ranges: ClassVar = {"threshold": (-1, math.inf)}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "threshold")
        if self.space not in KINDS:
            raise unknown("space", str(self.space), KINDS)

    def weight(self, at: Step) -> Tensor:
        """1 until the step at which they agreed, 0 after it."""
        return (self.past[1] >= at.index).double() if self.past else torch.ones((), dtype=torch.float64)

    def __call__(self, view: View, at: Step) -> Prediction:
        apart, last = self.past or (torch.tensor(False), torch.tensor(math.inf))
        if self.past is not None:
            cosine, threshold = self.cosine(view, at), values(self.threshold)
            agree = apart & (cosine >= threshold) & last.isinf()
            self.past[:] = [apart | (cosine < threshold), torch.where(agree, at.index, last)]
        return super().__call__(view, at)

    def cosine(self, view: View, at: Step) -> Tensor:
        """float64 [] or [B]: of the base and what agrees with it least; nan where that was not asked."""
        asked, bases = self.inner.asks(at).keys(), self.base_asks().keys()
        others = asked - bases
        if not others or not asked | bases <= view.named.keys():
            return torch.tensor(math.nan, dtype=torch.float64)
        base, *rest = (p.reading(self.space, at.level) for p in (self.base(view), *(view[name] for name in others)))
        return torch.stack([dot(base, o) / (dot(base, base) * dot(o, o)).sqrt() for o in rest]).amin(0).cpu()
