"""Frequency-decoupled guidance: a scale for each band of frequencies. Sadat et al. 2025, arXiv:2506.19713, sec. 4,
eq. 5 and 6, and Algorithms 1 and 2.

    guided = sum over bands of  band(null) + scale_band (band(cond) - band(null))

The bands are the levels of a Laplacian pyramid (eq. 7-9), as many as there are scales, from low to high frequency: the
first scale is that of the coarsest level, which has the mean colour in it, and the last that of the finest details.
(The paper's code and diffusers list them from high to low.) All scales 1: the conditional, all 0: the null, all the
same: CFG at that scale, each exactly.

Space: x0 in the paper; linear, hence the same in every space, as long as nothing but the scales is done to a band. The
optional projection of Algorithm 2, APG's (arXiv:2410.02416) within each band, is left out. Cost: 2 rows.

The pyramid is kornia's, as in the paper: a 5 x 5 binomial blur, reflected at the border, and bilinear resizing. But
where kornia pads sides to powers of two, and gives a larger image back, here a side is halved and rounded up, and comes
back as long as it was: images of any shape come back exactly. Not defined for what is no image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ....core import Prediction, Step, lerp, per_sample
from ....errors import UsageError
from ...fields import Number, number, values, weight
from ...rule import ALL, Ask, Asks, Rule, View, rule

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


@rule
class FDG(Rule):
    """Guidance with a scale for each band of frequencies."""

    scales: Sequence[Number] = (5.0, 10.0)  # from low to high frequency; the paper's for SD-XL, Table 8a
    neutral: ClassVar = {"scales": (1.0, 1.0)}

    def __post_init__(self) -> None:
        if not isinstance(self.scales, list | tuple) or not self.scales:
            raise UsageError(f"scales must be a list from low to high frequency such as [5, 10], got {self.scales}")
        object.__setattr__(self, "scales", tuple(number("scales", scale) for scale in self.scales))

    def asks(self, at: Step) -> Asks:
        cond, null = (reduce(torch.logical_or, (values(s) != k for s in self.scales)) for k in (0, 1))
        return {"cond": Ask(rows=cond), "null": Ask(drop=ALL, rows=null)}

    def __call__(self, view: View, at: Step) -> Prediction:
        if view.x.ndim != 4:
            raise UsageError(f"fdg needs images [B, C, H, W], got x {[*view.x.shape]}: use cfg")
        low, *scales = (weight(scale, view.x) for scale in self.scales)
        cond, null = view["cond"], view["null"]
        more = [per_sample(scale - low, view.x) for scale in scales]
        x0, eps = (_weighted(a - b, more) for a, b in ((cond.x0, null.x0), (cond.eps, null.eps)))
        return lerp(null, cond, low) + Prediction(x0, eps)


def _weighted(image: Tensor, weights: Sequence[float | Tensor]) -> Tensor:
    """The image [B, C, H, W] with 0 times its lowest band and these weights times the others, from low to high."""
    if not weights:
        return torch.zeros_like(image)
    *lower, finest = weights
    coarse = _down(image)
    return _up(_weighted(coarse, lower), image) + finest * (image - _up(coarse, image))


def _down(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return _resized(_blurred(image), ((height + 1) // 2, (width + 1) // 2))


def _up(image: Tensor, like: Tensor) -> Tensor:
    return _blurred(_resized(image, like.shape[-2:]))


def _resized(image: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(image, size=tuple(size), mode="bilinear", align_corners=False)


def _blurred(image: Tensor) -> Tensor:
    """Each channel blurred by the binomial in both directions."""
    for axis in (2, 3):
        side = image.shape[axis]
        wide = image.index_select(axis, _reflected(side).to(image.device))
        parts = (share * wide.narrow(axis, k, side) for k, share in enumerate(BINOMIAL))
        image = sum(parts, torch.zeros_like(image))
    return image


def _reflected(side: int) -> Tensor:
    """The pixels from 2 before a side to 2 after it, reflected at its ends; a side of 1 or 2 repeats them."""
    place = torch.arange(-2, side + 2).abs()
    return (side - 1 - (side - 1 - place).abs()).clamp_min(0)
