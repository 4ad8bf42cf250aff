"""Static thresholding: x0 clipped to the range of the data. Saharia et al. 2022 (Imagen), arXiv:2205.11487, sec. 2.3.

    x0 = clip(x0, lo, hi)

Space: x0; eps is recomputed from it and x, where diffusers' DDIM leaves it by default. Without effect wherever x0 lies
in the range; an infinite bound is none. It goes last, around all other rules. Cost: that of the rule inside.

For pixels only: latents are not in [-1, 1], and are spoilt by it.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

import torch

from ....core import Prediction, Step, per_sample
from ....errors import UsageError
from ...fields import Number, settle, values, weight
from ...ops import with_x0
from ...rule import Asks, View, Wrapper, rule

BOUND = "it keeps x0 in the range of the data, which predictions leave on their own"


@rule
class Threshold(Wrapper):
    """A rule whose x0 is clipped to the range of the data."""

    lo: Number = -1.0  # the least in the data; of pixels, as the paper
    hi: Number = 1.0  # the most
    ranges: ClassVar = {"lo": (-inf, inf), "hi": (-inf, inf)}
    neutral: ClassVar = {"lo": -inf, "hi": inf}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": BOUND}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "lo", "hi")
        if (values(self.lo) > values(self.hi)).any():
            raise UsageError(f"lo must be at most hi, got lo={self.lo} and hi={self.hi}")

    def asks(self, at: Step) -> Asks:
        return self.inner.asks(at)

    def __call__(self, view: View, at: Step) -> Prediction:
        p = self.inner(view, at)
        lo, hi = (torch.as_tensor(per_sample(weight(bound, p.x0), p.x0)).to(p.x0) for bound in (self.lo, self.hi))
        return with_x0(p, p.x0.clamp(lo, hi), at.level)
