"""EDM's process: noise is added and nothing is scaled. Karras et al. 2022, arXiv:2206.00364, Table 1 and eq. 5.

    alpha = 1,   sigma = (sigma_min^{1/rho} + u (sigma_max^{1/rho} - sigma_min^{1/rho}))^rho

so that a grid uniform in u is the paper's. Levels are asked at sigma_min and above; the step to clean comes after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError


@dataclass(frozen=True)
class EDM:
    """sigma from sigma_min (u = 0) to sigma_max (u = 1); the defaults are the paper's."""

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0  # 1: uniform in sigma; more: more steps where there is little noise

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise UsageError(f"EDM needs 0 < sigma_min < sigma_max, got {self.sigma_min} and {self.sigma_max}")
        if not 0 < self.rho < math.inf:
            raise UsageError(f"rho must be finite and more than 0, got {self.rho}")

    def level(self, u: Tensor) -> Level:
        """The level at u, [] or [B]; dsigma/du = rho root^{rho - 1} (high - low)."""
        low, high = self._roots
        root = low + u.double() * (high - low)
        sigma, one = root**self.rho, torch.ones_like(root)
        return Level(one, sigma, 0 * one, self.rho * root ** (self.rho - 1) * (high - low))

    def u_of(self, lam: Tensor) -> Tensor:
        """From sigma = e^{-lam / 2}."""
        low, high = self._roots
        return (torch.exp(-lam.double() / (2 * self.rho)) - low) / (high - low)

    def timestep(self, level: Level) -> Tensor:
        """sigma, shaped as the level, float64: what a network of this process is told."""
        return level.noise_to_signal

    @property
    def _roots(self) -> tuple[float, float]:
        """sigma_min and sigma_max to the power of 1 / rho."""
        return self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
