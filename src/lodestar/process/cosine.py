"""The cosine process in log SNR. Ho & Salimans 2022, arXiv:2207.12598, Sec. 2, after Nichol & Dhariwal 2021.

    lam = -2 log tan(a u + b),   b = arctan(e^{-lam_max / 2}),   a = arctan(e^{-lam_min / 2}) - b

so that alpha = cos(a u + b) and sigma = sin(a u + b): variance preserving, lam_max at u = 0 and lam_min at u = 1.
(Public copies misprint a, with e^{lam_min / 2} or with b inside the arctan: neither ends at lam_min.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError


@dataclass(frozen=True)
class Cosine:
    """lam uniform in angle from lam_max (u = 0) to lam_min (u = 1); the defaults are the paper's."""

    lam_min: float = -20.0
    lam_max: float = 20.0

    def __post_init__(self) -> None:
        if not -math.inf < self.lam_min < self.lam_max < math.inf:
            raise UsageError(f"cosine needs finite lam_min < lam_max, got {self.lam_min} and {self.lam_max}")

    @property
    def a(self) -> float:
        return math.atan(math.exp(-self.lam_min / 2)) - self.b

    @property
    def b(self) -> float:
        return math.atan(math.exp(-self.lam_max / 2))

    def level(self, u: Tensor) -> Level:
        """The level at u, [] or [B]; d angle / du = a."""
        angle = self.a * u.double() + self.b
        alpha, sigma = angle.cos(), angle.sin()
        return Level(alpha, sigma, -self.a * sigma, self.a * alpha)

    def u_of(self, lam: Tensor) -> Tensor:
        """u = (arctan(e^{-lam / 2}) - b) / a."""
        return (torch.atan(torch.exp(-lam.double() / 2)) - self.b) / self.a

    def timestep(self, level: Level) -> Tensor:
        """lam, shaped as the level, float64: what the paper's network is told."""
        return level.lam
