"""How much of the noise of a step is kept and how much is drawn anew.

With ratio = e^{(lam - lam') / 2}, lam' the next, cleaner level, the forward process's posterior given x and x0 has mean
alpha' x0 + ratio sigma' eps and standard deviation (1 - ratio^2)^{1/2} sigma' (Ho, Jain & Abbeel 2020,
arXiv:2006.11239, eq. 6 and 7, in log SNR as Kingma et al. 2021, arXiv:2107.00630, have it).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import Level, Noise, Step, per_sample
from ..errors import UsageError


def check_share(name: str, value: float) -> None:
    """Raise UsageError unless what is called so is in [0, 1]."""
    if not 0 <= value <= 1:
        raise UsageError(f"{name} must be between 0 and 1, got {value}")


def ratio(at: Level, to: Level) -> Tensor:
    """e^{(lam - lam') / 2} = (alpha / sigma) (sigma' / alpha'), in [0, 1): finite even where lam is not."""
    return (at.alpha / at.sigma) * (to.sigma / to.alpha)


def noised(x: Tensor, std: Tensor, noise: Noise | None, at: Step) -> Tensor:
    """x [B, ...] and std [] or [B] times the noise of this step; where std is 0 nothing is drawn.

    Raises UsageError without noise.
    """
    if not bool(std.any()):
        return x
    if noise is None:
        raise UsageError("this sampler draws noise at every step: give it noise=Noise(seeds)")
    return x + per_sample(std, x) * noise.normal(at.index, 0, x.shape[1:], x.device).to(x)


def posterior(at: Level, to: Level, noise_mix: float = 0.0) -> Tensor:
    """The posterior's standard deviation, at noise_mix 1 the forward process's; 0 at a clean level in any case."""
    std = (1 - ratio(at, to) ** 2).sqrt() * to.sigma ** (1 - noise_mix) * at.sigma**noise_mix
    return torch.where(to.sigma == 0, 0, std)
