"""Weights of the loss by noise level.

The error of one kind in another's terms, as in a network that puts out x0 and is trained on the error of the velocity
(Li & He 2025, "Back to basics: let denoising generative models denoise", arXiv:2511.13720): neutral for the own kind.

Min-SNR, Hang et al. 2023, arXiv:2303.09556: min(SNR, gamma) on the squared error of x0, which for gamma = infinity is
the plain loss of an eps network. The error of x0 in another kind's terms follows from
x = alpha x0 + sigma eps with x held fixed: d eps = -(alpha / sigma) d x0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from ..core import Kind, Level
from ..errors import UsageError

Weight: TypeAlias = Callable[[Level], Tensor]  # of each sample's loss, [B]


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


@dataclass(frozen=True)
class InTermsOf:
    """The weight [B] that makes the squared error of a network of kind `own` that of kind `other`."""

    own: Kind
    other: Kind
    most: float = 100.0  # the weight of the error of x0 is never more: a flow's grows without bound as noise vanishes

    def __post_init__(self) -> None:
        if not 0 < self.most < math.inf:
            raise UsageError(f"most must be finite and more than 0, got {self.most}")

    def __call__(self, level: Level) -> Tensor:
        return (_slope(self.other, level) ** 2).clamp(max=self.most) / _slope(self.own, level) ** 2


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
