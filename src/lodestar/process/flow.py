"""Rectified flow: the straight path. Liu, Gong & Liu 2022, arXiv:2209.03003; Lipman et al. 2022, arXiv:2210.02747.

    alpha = 1 - s,   sigma = s,   s = shift u / (1 + (shift - 1) u)

`shift` moves the levels towards noise (Esser et al. 2024, arXiv:2403.03206, eq. 23); 1 is neutral: s = u.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError


@dataclass(frozen=True)
class Flow:
    """Exactly clean at u = 0 (sigma = 0) and exactly noise at u = 1 (alpha = 0)."""

    shift: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.shift < math.inf:
            raise UsageError(f"shift must be finite and more than 0, got {self.shift}")

    def level(self, u: Tensor) -> Level:
        """The level at u, [] or [B]; ds/du = shift / (1 + (shift - 1) u)^2."""
        clean, noise = 1 - u.double(), self.shift * u.double()
        whole = clean + noise  # 1 + (shift - 1) u, written so that both ends are exact
        slope = self.shift / whole**2
        return Level(clean / whole, noise / whole, -slope, slope)

    def u_of(self, lam: Tensor) -> Tensor:
        """From s / (1 - s) = shift u / (1 - u) = e^{-lam / 2}."""
        return torch.sigmoid(-lam.double() / 2 - math.log(self.shift))

    def timestep(self, level: Level) -> Tensor:
        """s in [0, 1], shaped as the level, float64: what a network of this process is told, whatever the shift."""
        return level.sigma
