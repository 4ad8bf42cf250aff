"""DDIM, deterministic (eta = 0). Song, Meng & Ermon 2020, arXiv:2010.02502, eq. 12. First order.

    x' = alpha' x0 + sigma' eps

On a flow process it is the Euler method in sigma.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..core import Denoise, Level, Noise
from .walk import walk


def ddim(denoise: Denoise, x: Tensor, levels: Sequence[Level], *, noise: Noise | None = None) -> Tensor:
    """From x [B, ...] at levels[0] to a sample at levels[-1]. Draws no noise."""
    running = denoise.begin()
    for at, to in walk(levels):
        p = running(x, at)
        a = to.like(p.x0)
        x = a.alpha * p.x0 + a.sigma * p.eps
    return x
