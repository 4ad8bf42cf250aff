"""Gaussian mixtures in any dimension: data whose exact denoiser, score and density are known.

Component k has weight w_k, mean m_k, covariance C_k and a class. At a level, x = alpha x0 + sigma eps has density
sum_k w_k N(alpha m_k, V_k) with V_k = alpha^2 C_k + sigma^2 I, and

    E[x0 | x, k]  = m_k + alpha C_k V_k^{-1} (x - alpha m_k)
    E[eps | x, k] = sigma V_k^{-1} (x - alpha m_k)

averaged over the responsibilities p(k | x), and the score is grad log p(x) = -E[V_k^{-1} (x - alpha m_k) | x]. All are
exact at alpha = 0 and at sigma = 0; conditioning on a class keeps its components only. All in float64.
With alpha = 1 these are the formulas of EDM2's toy example (Karras et al. 2024, arXiv:2406.02507, appendix).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ..core import Kind, Level, Prediction
from ..errors import UsageError

_ONE, _ZERO = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
CLEAN = Level(_ONE, _ZERO, _ZERO, _ZERO)  # the data themselves


class Labels(Protocol):
    """A condition by class."""

    @property
    def index(self) -> Tensor:
        """int64 [B]; -1 is the null: every class."""
        ...


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture in D dimensions; called, it is the exact predictor. x has any shape [B, ...] with D numbers a row."""

    weights: Tensor  # [K], positive; normalised here
    means: Tensor  # [K, D]
    covariances: Tensor  # [K, D, D], positive definite
    classes: Tensor  # int64 [K], from 0
    variances: Tensor = field(init=False, repr=False)  # [K, D] eigenvalues of the covariances
    axes: Tensor = field(init=False, repr=False)  # [K, D, D] their eigenvectors, in columns

    def __post_init__(self) -> None:
        weights, means, covariances = (t.double() for t in (self.weights, self.means, self.covariances))
        variances, axes = torch.linalg.eigh(covariances)
        if bool((weights <= 0).any() or (variances <= 0).any()):
            raise UsageError("a mixture needs positive weights and positive definite covariances")
        values = {"weights": weights / weights.sum(), "means": means, "covariances": covariances}
        for name, value in {**values, "variances": variances, "axes": axes}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def random(cls, dim: int, classes: int, generator: torch.Generator, *, per_class: int = 2) -> GaussianMixture:
        """An example of about unit spread, whose classes overlap: correlated components of std 0.2 to 0.7."""
        k = classes * per_class
        weights = 0.5 + torch.rand(k, generator=generator, dtype=torch.float64)
        means = torch.randn(k, dim, generator=generator, dtype=torch.float64)
        axes = torch.linalg.qr(torch.randn(k, dim, dim, generator=generator, dtype=torch.float64)).Q
        stds = 0.2 + 0.5 * torch.rand(k, 1, dim, generator=generator, dtype=torch.float64)
        return cls(weights, means, (axes * stds**2) @ axes.mT, torch.arange(k) % classes)

    def __call__(self, x: Tensor, level: Level, condition: Labels | None = None) -> Prediction:
        """E[x0 | x, c] and E[eps | x, c], each shaped as x and float64; no condition is the null for all."""
        r, y = self._pulls(x, level, None if condition is None else condition.index)
        pull = torch.einsum("kde,bke->bd", self.covariances, y)
        a = level.like(y[:, 0])
        x0, eps = r @ self.means + a.alpha * pull, a.sigma * y.sum(1)
        return Prediction(x0.reshape(x.shape), eps.reshape(x.shape))

    def score(self, x: Tensor, level: Level = CLEAN, labels: Tensor | None = None) -> Tensor:
        """grad log p(x | c) = -eps / sigma, shaped as x and float64; finite at sigma = 0 too. Labels as in `sample`."""
        return -self._pulls(x, level, labels)[1].sum(1).reshape(x.shape)

    def as_network(self, kind: Kind) -> Callable[..., Tensor]:
        """The raw network of this kind that would be exact: (x, level, condition=None) -> [B, ...]."""

        def network(x: Tensor, level: Level, condition: Labels | None = None) -> Tensor:
            return self(x, level, condition).reading(kind, level)

        return network

    def sample(self, n: int, generator: torch.Generator, labels: Tensor | None = None, level: Level = CLEAN) -> Tensor:
        """x [n, D] at a level, or one level a row, each of its own label (int64 [n]; -1 and None: any class)."""
        prior = self._prior(labels).expand(n, -1).exp()
        k = torch.multinomial(prior, 1, generator=generator).squeeze(1)
        z = torch.randn(n, self.means.shape[1], generator=generator, dtype=torch.float64)
        a = level.like(z)
        std = (a.alpha**2 * self.variances[k] + a.sigma**2).sqrt()
        return a.alpha * self.means[k] + torch.einsum("bde,be->bd", self.axes[k], std * z)

    def log_density(self, x: Tensor, level: Level = CLEAN, labels: Tensor | None = None) -> Tensor:
        """log p(x | c) [B] at a level, or at one level a row; labels as in `sample`."""
        return self._components(x, level, labels)[0].logsumexp(1)

    def of(self, labels: Tensor) -> Tensor:
        """bool [..., K]: the components of each label [...]. Raises UsageError on a class that there is not."""
        kept = (labels[..., None] < 0) | (labels[..., None] == self.classes)
        if not bool(kept.any(-1).all()):
            raise UsageError(f"the mixture has classes {sorted(set(self.classes.tolist()))}, got {labels.tolist()}")
        return kept

    def _pulls(self, x: Tensor, level: Level, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The responsibilities r [B, K], and r V_k^{-1} (x - alpha m_k) [B, K, D]."""
        log_p, white = self._components(x, level, labels)
        r = log_p.softmax(1)
        return r, torch.einsum("bk,kde,bke->bkd", r, self.axes, white)

    def _components(self, x: Tensor, level: Level, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """log p(k, x | c) [B, K], and V_k^{-1} (x - alpha m_k) [B, K, D] in the components' own axes."""
        flat = x.double().flatten(1)
        a = level.like(flat[:, None])  # against [B, K, D]
        off = torch.einsum("bkd,kde->bke", flat[:, None] - a.alpha * self.means, self.axes)
        variance = a.alpha**2 * self.variances + a.sigma**2
        log_n = -0.5 * (off**2 / variance + variance.log() + math.log(2 * math.pi)).sum(2)
        return self._prior(labels) + log_n, off / variance

    def _prior(self, labels: Tensor | None) -> Tensor:
        """log p(k | c) [B, K], or [1, K] without labels; minus infinity outside the class."""
        log_w = self.weights.log()[None]
        if labels is None:
            return log_w
        return log_w.masked_fill(~self.of(labels), -math.inf).log_softmax(1)
