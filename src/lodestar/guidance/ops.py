"""Operations for rules. All act per sample: axis 0 is the batch and never reduced."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import Level, Prediction, per_sample

FLOOR = 1e-6  # below this a standard deviation of x0, eps or v, all of order 1, counts as none


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each sample, [B] in float64."""
    return (a.double() * b.double()).flatten(1).sum(1)


def std(a: Tensor) -> Tensor:
    """Standard deviation about the mean over all axes but the batch, [B] in float64, at least FLOOR."""
    return a.double().flatten(1).std(1, correction=0).clamp_min(FLOOR)


def choose(mask: Tensor, a: Prediction, b: Prediction) -> Prediction:
    """a where mask (bool [B] or []), b elsewhere."""
    keep = mask.to(a.x0.device).reshape((-1,) + (1,) * (a.x0.ndim - 1))
    return Prediction(torch.where(keep, a.x0, b.x0), torch.where(keep, a.eps, b.eps))


def scale_v(p: Prediction, factor: Tensor, at: Level) -> Prediction:
    """The prediction with v times factor [B], at the same x: exactly p where the factor is 1.

    x = alpha x0 + sigma eps and v = alpha eps - sigma x0, so dv moves x0 by -sigma dv / n and eps by alpha dv / n,
    with n = alpha^2 + sigma^2.
    """
    a = at.like(p.x0)
    dv = per_sample(factor - 1, p.x0) * p.v(at) / (a.alpha**2 + a.sigma**2)
    return Prediction(p.x0 - a.sigma * dv, p.eps + a.alpha * dv)


def add_score(p: Prediction, score: Tensor, at: Level) -> Prediction:
    """The prediction with this [B, ...] added to its score -eps / sigma, at the same x: exactly p where it is 0.

    eps - sigma score and x0 + sigma^2 / alpha score, which is what guidance by a gradient of log p comes to (Dhariwal &
    Nichol 2021, arXiv:2105.05233, Alg. 2). At alpha = 0, where x shows nothing of x0, it is p.
    """
    a = at.like(p.x0)
    seen = a.alpha > 0
    score = torch.where(seen, score, 0)
    return Prediction(p.x0 + a.sigma**2 / torch.where(seen, a.alpha, 1) * score, p.eps - a.sigma * score)
