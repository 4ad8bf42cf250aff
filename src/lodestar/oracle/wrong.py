"""Denoisers that are wrong in a known way, as trained ones are. Each is called as the mixture is and keeps
alpha x0 + sigma eps = x, so that rules and samplers take it as it is.

blurred(width)           the data too wide: every covariance has width^2 I more, as that of noised training data has
undertrained(share)      the fine not learnt yet: at low noise mixed with the denoiser of one Gaussian for all data
limited(components)      too small: the components of each class merged until so many are left, moments kept

An exact denoiser needs no guidance: scale 1 is the conditional. What guidance does in practice is also to take errors
out that cond and null, or a better and a worse network, have in common (Karras et al. 2024, arXiv:2406.02507), and here
it can be seen which rule does that: who brings the samples nearer to the true conditional.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from ..core import Level, Prediction, lerp
from ..errors import UsageError
from .mixture import GaussianMixture, Labels


@dataclass(frozen=True, eq=False)
class Blurred:
    """The exact denoiser of the mixture with Gaussians of this standard deviation added to the data."""

    mixture: GaussianMixture
    width: float = 0.3
    learnt: GaussianMixture = field(init=False, repr=False)  # what it takes for the data

    def __post_init__(self) -> None:
        if not 0 < self.width < math.inf:
            raise UsageError(f"width must be finite and more than 0, got {self.width}")
        m = self.mixture
        more = self.width**2 * torch.eye(m.means.shape[1], dtype=torch.float64)
        object.__setattr__(self, "learnt", GaussianMixture(m.weights, m.means, m.covariances + more, m.classes))

    def __call__(self, x: Tensor, level: Level, condition: Labels | None = None) -> Prediction:
        return self.learnt(x, level, condition)


@dataclass(frozen=True, eq=False)
class Undertrained:
    """The exact denoiser with a share of that of one Gaussian in it, which knows no class and no component.

    The share grows from 0 in pure noise, where both are the same to first order, to its value in clean data, in
    proportion to the signal's part of the variance of x: networks learn the coarse first.
    """

    mixture: GaussianMixture
    share: float = 0.3
    coarse: GaussianMixture = field(init=False, repr=False)  # the one Gaussian

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"share must be above 0 and at most 1, got {self.share}")
        m = self.mixture
        everything = _merged(m.weights, m.means, m.covariances)
        object.__setattr__(self, "coarse", GaussianMixture(*everything, torch.zeros(1, dtype=torch.int64)))

    def __call__(self, x: Tensor, level: Level, condition: Labels | None = None) -> Prediction:
        signal = level.alpha**2 * self.coarse.variances.mean()
        weight = self.share * signal / (signal + level.sigma**2)
        return lerp(self.mixture(x, level, condition), self.coarse(x, level), weight)


@dataclass(frozen=True, eq=False)
class Limited:
    """The exact denoiser of a mixture with at most so many components in each class."""

    mixture: GaussianMixture
    components: int = 1
    learnt: GaussianMixture = field(init=False, repr=False)  # what it takes for the data

    def __post_init__(self) -> None:
        if not isinstance(self.components, int) or self.components < 1:
            raise UsageError(f"components must be a whole number of at least 1, got {self.components}")
        m = self.mixture
        if int(m.classes.bincount().max()) <= self.components:
            raise UsageError(f"no class has more than {self.components} components: such a denoiser would be exact")
        parts = [(c, _reduced(m, c, self.components)) for c in m.classes.unique().tolist()]
        classes = torch.cat([torch.full((len(weights),), c) for c, (weights, _, _) in parts])
        weights, means, covariances = (torch.cat(each) for each in zip(*(part for _, part in parts), strict=True))
        object.__setattr__(self, "learnt", GaussianMixture(weights, means, covariances, classes))

    def __call__(self, x: Tensor, level: Level, condition: Labels | None = None) -> Prediction:
        return self.learnt(x, level, condition)


WRONG = {cls.__name__.lower(): cls for cls in (Blurred, Undertrained, Limited)}


def own_fields(name: str) -> list[str]:
    """What a wrong denoiser of this name is given besides the mixture."""
    return [f.name for f in fields(WRONG[name]) if f.init and f.name != "mixture"]


Moments = tuple[Tensor, Tensor, Tensor]  # weights [K], means [K, D], covariances [K, D, D]


def _reduced(mixture: GaussianMixture, label: int, most: int) -> Moments:
    """The components of a class, the cheapest pair merged until `most` are left."""
    kept = mixture.classes == label
    now = mixture.weights[kept], mixture.means[kept], mixture.covariances[kept]
    while len(now[0]) > most:
        pair = min(torch.combinations(torch.arange(len(now[0]))), key=lambda p: _cost(*(t[p] for t in now)))
        rest = torch.ones(len(now[0]), dtype=torch.bool).index_fill(0, pair, False)
        now = tuple(torch.cat([t[rest], new]) for t, new in zip(now, _merged(*(t[pair] for t in now)), strict=True))  # type: ignore[assignment]
    return now


def _cost(weights: Tensor, means: Tensor, covariances: Tensor) -> float:
    """A bound on the KL divergence that merging costs. Runnalls 2007, doi:10.1109/TAES.2007.4383588, eq. 16."""
    _, _, merged = _merged(weights, means, covariances)
    return float(0.5 * (weights.sum() * merged[0].logdet() - (weights * covariances.logdet()).sum()))


def _merged(weights: Tensor, means: Tensor, covariances: Tensor) -> Moments:
    """The one Gaussian with the weight, mean and covariance of them all."""
    total = weights.sum()
    share = weights / total
    mean = share @ means
    off = means - mean
    covariance = torch.einsum("k,kde->de", share, covariances + off[:, :, None] * off[:, None])
    return total[None], mean[None], covariance[None]
