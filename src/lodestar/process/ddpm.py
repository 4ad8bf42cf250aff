"""DDPM's process: discrete steps of growing noise. Ho, Jain & Abbeel 2020, arXiv:2006.11239, Sec. 4.

    alpha_t^2 = prod_{s <= t} (1 - beta_s),   sigma_t^2 = 1 - alpha_t^2,   t = 0 ... steps - 1

beta rises in a straight line from beta_start to beta_end, or, if `scaled`, its square root does (Rombach et al. 2022,
arXiv:2112.10752, code: Stable Diffusion's). Between the steps alpha is interpolated in a straight line, so that every u
has a level and t = (steps - 1) u has exactly the published one.

zero_terminal shifts and scales alpha so that it ends at 0 and begins where it began (Lin et al. 2023, arXiv:2305.08891,
Alg. 1): a network of kind eps says nothing there, v does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError


@dataclass(frozen=True)
class DDPM:
    """The defaults are the paper's; Stable Diffusion's are DDPM(beta_start=.00085, beta_end=.012, scaled=True)."""

    steps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    scaled: bool = False  # the square root of beta is linear
    zero_terminal: bool = False  # the last step is pure noise

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 2:
            raise UsageError(f"DDPM needs a whole number of at least 2 steps, got {self.steps}")
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise UsageError(f"DDPM needs 0 < beta_start <= beta_end < 1, got {self.beta_start} and {self.beta_end}")

    @cached_property
    def alphas(self) -> Tensor:
        """alpha_t [steps], float64; diffusers' alphas_cumprod is its square."""
        power = 0.5 if self.scaled else 1.0
        low, high = self.beta_start**power, self.beta_end**power
        beta = torch.linspace(low, high, self.steps, dtype=torch.float64) ** (1 / power)
        alphas = (1 - beta).cumprod(0).sqrt()
        if not self.zero_terminal:
            return alphas
        return (alphas - alphas[-1]) * alphas[0] / (alphas[0] - alphas[-1])

    def level(self, u: Tensor) -> Level:
        """The level at u, [] or [B]; dsigma/du = -alpha / sigma dalpha/du."""
        at = u.double() * (self.steps - 1)
        before = at.detach().floor().clamp(0, self.steps - 2).long()
        a, b = self.alphas.to(u.device)[before], self.alphas.to(u.device)[before + 1]
        alpha = torch.lerp(a, b, at - before)
        sigma, slope = (1 - alpha**2).sqrt(), (b - a) * (self.steps - 1)
        return Level(alpha, sigma, slope, -alpha / sigma * slope)

    def u_of(self, lam: Tensor) -> Tensor:
        """From alpha^2 = 1 / (1 + e^{-lam})."""
        alpha, falling = torch.sigmoid(lam.double()).sqrt(), self.alphas.to(lam.device)
        before = (torch.searchsorted(-falling, -alpha, right=True) - 1).clamp(0, self.steps - 2)
        a, b = falling[before], falling[before + 1]
        return (before + (a - alpha) / (a - b)) / (self.steps - 1)

    def timestep(self, level: Level) -> Tensor:
        """t in [0, steps - 1], shaped as the level, float64: what a network that counts steps wants to be told.

        Whole at the process's own levels, for networks that look it up in a table.
        """
        t = self.u_of(level.lam) * (self.steps - 1)
        return torch.where((t - t.round()).abs() < 1e-6, t.round(), t)

    def at_timestep(self, t: Tensor) -> Level:
        """The level of step t, [] or [B], whole or in between."""
        return self.level(t.double() / (self.steps - 1))
