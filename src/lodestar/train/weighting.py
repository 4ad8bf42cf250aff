"""Weights of the loss by noise level.

Min-SNR, Hang et al. 2023, arXiv:2303.09556: min(SNR, gamma) on the squared error of x0, which for gamma = infinity is
the plain loss of an eps network. The error of x0 in another kind's terms follows from
x = alpha x0 + sigma eps with x held fixed: d eps = -(alpha / sigma) d x0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ..core import Kind, Level
from ..errors import UsageError


@dataclass(frozen=True)
class MinSNR:
    """The weight [B] of a loss that is the squared error in the network's own kind."""

    kind: Kind
    gamma: float = 5.0  # the paper's

    def __post_init__(self) -> None:
        if not 0 < self.gamma < math.inf:
            raise UsageError(f"gamma must be finite and more than 0, got {self.gamma}")

    def __call__(self, level: Level) -> Tensor:
        return level.lam.exp().clamp(max=self.gamma) / _slope(self.kind, level) ** 2


def _slope(kind: Kind, level: Level) -> Tensor:
    """d (what the network puts out) / d x0 at fixed x."""
    d_eps = -level.alpha / level.sigma
    if kind == "x0":
        return level.alpha / level.alpha
    if kind == "eps":
        return d_eps
    if kind == "v":
        return level.alpha * d_eps - level.sigma
    return level.d_alpha + level.d_sigma * d_eps
