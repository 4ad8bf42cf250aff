"""Mean and covariance of features, streamed and merged. Chan, Golub & LeVeque 1983, Am. Stat. 37(3), eq. 2.1.

    mean = sum x / n        covariance = sum (x - mean)(x - mean)^T / (n - 1)
    of two parts: scatter = scatter_a + scatter_b + d d^T n_a n_b / (n_a + n_b)        d = mean_b - mean_a

In float64. Rows are gathered into blocks of BLOCK, however they come: the result is equal, bit by bit, for any batch
size. Memory is that of the covariance and of a block.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...errors import UsageError
from .gram import gram
from .rows import check_rows

BLOCK = 5000  # rows: a product of many is faster


@dataclass(frozen=True, eq=False)
class Moments:
    """All that a Frechet distance needs to know of a set of features."""

    n: int
    mean: Tensor  # float64 [D]
    scatter: Tensor  # float64 [D, D]: the covariance times n - 1, symmetric

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        return moments([features])

    @property
    def dim(self) -> int:
        return len(self.mean)

    @property
    def covariance(self) -> Tensor:
        """Of the population that the features were drawn from: divided by n - 1. Raises UsageError below two rows."""
        return self.scatter / self._freedom

    @property
    def variance(self) -> float:
        """The covariance's trace. Raises UsageError below two rows."""
        return float(self.scatter.trace()) / self._freedom

    @property
    def _freedom(self) -> int:
        if self.n < 2:
            raise UsageError(f"a covariance takes at least 2 samples, got {self.n}")
        return self.n - 1

    @cached_property
    def root(self) -> Tensor:
        """R [D, K] with R R^T = covariance, 0 above the diagonal: Cholesky's factor, or of fewer samples than columns
        one of their rank.
        """
        if self.n > self.dim:
            factor, failed = torch.linalg.cholesky_ex(self.scatter)
            if not int(failed):
                return factor.div_(self._freedom**0.5)
        values, vectors = torch.linalg.eigh(self.covariance)
        kept = values > values[-1].clamp(min=0) * self.dim * torch.finfo(values.dtype).eps
        return torch.linalg.qr((vectors[:, kept] * values[kept].sqrt()).T, mode="r").R.T

    def merge(self, other: Moments) -> Moments:
        """Those of both sets together. Raises UsageError where they are of two detectors."""
        if self.dim != other.dim:
            raise UsageError(f"moments of two detectors cannot be merged: {self.dim} and {other.dim} columns")
        if not self.n or not other.n:
            return self if self.n else other
        mean, scatter = self.mean.clone(), self.scatter.clone()
        _join(self.n, mean, scatter, other)
        return Moments(self.n + other.n, mean, scatter)


class Running:
    """Moments of what has been added so far; `block` rows are counted at a time."""

    def __init__(self, dim: int, block: int = BLOCK) -> None:
        self.dim, self.block, self.n = dim, block, 0  # columns, and rows so far
        self._mean, self._scatter = _double(dim), _double(dim, dim)  # of whole blocks
        self._waiting = _double(block, dim)  # the rows of the next, filled again and again

    def add(self, features: Tensor) -> None:
        """More rows [B, D]. Raises UsageError for nan, and for another D."""
        if check_rows(features, least=0).shape[1] != self.dim:
            raise UsageError(f"features must have {self.dim} columns as those before, got {features.shape[1]}")
        rows = features.detach()
        if not self.n:
            self._move(rows.device)
        while len(rows):
            at = self.n % self.block
            part, rows = rows[: self.block - at], rows[self.block - at :]
            self._waiting[at : at + len(part)] = part
            self.n += len(part)
            if self.n % self.block == 0:
                _count(self._waiting, self.n - self.block, self._mean, self._scatter)

    def moments(self) -> Moments:
        """Of all rows so far; more may follow. Raises UsageError where there are none."""
        if not self.n:
            raise UsageError("moments take at least 1 row of features, got none")
        rest, mean, scatter = self.n % self.block, self._mean.clone(), self._scatter.clone()
        if rest:
            _count(self._waiting[:rest].clone(), self.n - rest, mean, scatter)
        return Moments(self.n, mean, scatter)

    def _move(self, device: torch.device) -> None:
        self._mean, self._scatter, self._waiting = (t.to(device) for t in (self._mean, self._scatter, self._waiting))


def _double(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def moments(batches: Iterable[Tensor]) -> Moments:
    """The moments of features that come in batches [B, D]."""
    running: Running | None = None
    for batch in batches:
        running = running or Running(batch.shape[-1])
        running.add(batch)
    return (running or Running(0)).moments()


def _count(rows: Tensor, n: int, mean: Tensor, scatter: Tensor) -> None:
    """Count rows [B, D] to the mean [D] and the scatter [D, D] of n others, all three in place."""
    own = rows.mean(0)
    _join(n, mean, scatter, Moments(len(rows), own, gram(rows.sub_(own))))


def _join(n: int, mean: Tensor, scatter: Tensor, other: Moments) -> None:
    """Others to the mean and the scatter of n, in place."""
    apart, total = other.mean - mean, n + other.n
    scatter.add_(other.scatter).addr_(apart, apart, alpha=n * other.n / total)
    mean.add_(apart, alpha=other.n / total)
