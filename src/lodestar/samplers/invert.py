"""DDIM backwards: the noise that a picture comes from. Song, Meng & Ermon 2020, arXiv:2010.02502, Sec. 4.3.

DDIM's step from level (alpha', sigma') at x' down to x at (alpha, sigma) is x = alpha x0 + sigma eps, predicted at x'.
So x' is what solves

    x' = (alpha' / alpha) x + (sigma' - (alpha' / alpha) sigma) eps(x', level')

and is found by substitution: beginning with the prediction of the step before, `rounds` times (Pan et al. 2023,
arXiv:2309.04907). One round is the usual inversion, of first order; with more, DDIM leads back to the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..core import Denoise, Level, Step, per_sample
from ..errors import UsageError


def invert(denoise: Denoise, x: Tensor, levels: Sequence[Level], *, rounds: int = 1) -> Tensor:
    """From clean x [B, ...] at levels[-1] up to the x at levels[0] from which DDIM over these levels leads to it.

    Asks the denoiser `rounds` times a step, never at the clean level. Raises UsageError where alpha is 0 at levels[0]:
    there every picture has the same x, and no DDIM leads back.
    """
    if len(levels) < 2 or rounds < 1:
        raise UsageError(f"inversion takes at least 2 levels and 1 round, got {len(levels)} and {rounds}")
    if bool((levels[0].alpha == 0).any()):
        raise UsageError("inversion cannot end in pure noise (alpha = 0): leave out the first level")
    running, eps, total = denoise.begin(), torch.zeros_like(x), len(levels) - 1
    for i, (to, at) in enumerate(pairwise(reversed(levels))):
        signal = at.alpha / to.alpha
        gain = at.sigma - signal * to.sigma
        start = per_sample(signal, x) * x
        for _ in range(rounds):
            eps = running(start + per_sample(gain, x) * eps, Step(at, total - 1 - i, total)).eps
        x = start + per_sample(gain, x) * eps
    return x
