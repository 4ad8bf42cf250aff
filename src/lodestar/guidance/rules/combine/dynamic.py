"""Dynamic thresholding: x0 clipped at a percentile of itself and divided by it. Saharia et al. 2022 (Imagen),
arXiv:2205.11487, sec. 2.3.

    x0 = clip(x0, -s, s) / s,    s = max(the percentile of |x0|, 1)

per sample, over all axes but the batch, the percentile linear between two numbers. For data in [-floor, floor]: floor
in place of 1, and the result times floor.

Space: x0; eps is recomputed from it and x, where diffusers' DDIM leaves it by default. Without effect wherever x0 lies
in the range. It goes last, around all other rules. Cost: that of the rule inside.

For pixels only: latents are not in [-1, 1], and are spoilt by it.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from ....core import Prediction, Step, per_sample
from ...fields import Number, settle, values, weight
from ...ops import quantile, with_x0
from ...rule import Asks, View, Wrapper, rule
from .threshold import BOUND


@rule
class Dynamic(Wrapper):
    """A rule whose x0 is brought into the range of the data by its own percentile."""

    percentile: Number = 0.995  # a share; diffusers', lucidrains has 0.95
    floor: Number = 1.0  # the most in the data; of pixels, as the paper
    ranges: ClassVar = {"percentile": (0, 1), "floor": (1e-6, 1e6)}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": BOUND, "neutral_is_the_base_exactly": BOUND}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "percentile", "floor")

    def asks(self, at: Step) -> Asks:
        return self.inner.asks(at)

    def __call__(self, view: View, at: Step) -> Prediction:
        p = self.inner(view, at)
        floor = values(self.floor).to(p.x0.device)
        s = quantile(p.x0.abs().flatten(1), weight(self.percentile, p.x0)).clamp_min(floor)
        top = torch.as_tensor(per_sample(s, p.x0))
        return with_x0(p, p.x0.clamp(-top, top) / top * per_sample(floor, p.x0), at.level)
