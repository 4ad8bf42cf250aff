"""The Frechet distance of two normal distributions with the moments of the features. Heusel et al. 2017,
arXiv:1706.08500, eq. 6; with Inception-v3's features and only then it is called FID.

    FD = |mean_a - mean_b|^2 + tr A + tr B - 2 tr (A B)^1/2        0: equal moments, exactly

The last trace is the sum of the singular values of P = R_a^T R_b, where A = R_a R_a^T. They are the roots of the
eigenvalues of P P^T, at less than half of the cost; but the root of a number near 0 costs half of its digits. Where
that could be seen in the distance, singular values are computed.

The estimate is too large by about c / n for samples of the same distribution (Chong & Forsyth 2020, arXiv:1911.07023,
sec. 3). What n samples show is extrapolated to infinitely many by a line in 1 / n through the distances of parts of
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core import generator
from ...errors import UsageError
from .gram import gram, lower_product
from .moments import Moments
from .rows import check_rows

POINTS = 15  # the paper's code
PART = 10  # the smallest part is a tenth: the paper's 5,000 of 50,000
ENOUGH = 2  # samples for each column, at least: below that the distance is no line in 1 / n
CLOSE = 1e-8  # the part of a distance that rounding may be
ROUNDINGS = 8  # of the largest eigenvalue: how far off any may be


def frechet(a: Moments, b: Moments) -> float:
    """FD of two sets of features. Raises UsageError where they are of two detectors, or of fewer than two samples."""
    if a.dim != b.dim:
        raise UsageError(f"moments of two detectors cannot be compared: {a.dim} and {b.dim} columns")
    if a.n == b.n and a.mean.equal(b.mean) and a.scatter.equal(b.scatter):
        return 0.0  # in which roots would leave the rounding's
    apart = (a.mean - b.mean).square().sum()
    total = apart + a.variance + b.variance
    product = lower_product(a.root, b.root)
    overlap, doubt = _by_eigenvalues(product)
    if 2 * doubt > CLOSE * (total - 2 * overlap):  # nearly equal moments, or directions that hardly vary
        overlap = torch.linalg.svdvals(product).sum()
    return max(0.0, float(total - 2 * overlap))


def _by_eigenvalues(product: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of its singular values, and how far off it can be."""
    narrow = product if product.shape[1] <= product.shape[0] else product.T
    squares = torch.linalg.eigvalsh(gram(narrow))
    off = ROUNDINGS * torch.finfo(squares.dtype).eps * squares[-1:].sum()  # none, where a set never varies
    roots = squares.clamp(min=0).sqrt()
    return roots.sum(), (off / roots.maximum(off.sqrt())).nan_to_num().sum()


@dataclass(frozen=True)
class Extrapolated:
    """What infinitely many samples would show."""

    value: float  # FD at 1 / n = 0; may be a little below 0
    slope: float  # FD at n samples is about value + slope / n
    sizes: tuple[int, ...]
    values: tuple[float, ...]  # FD of so many samples


def frechet_infinity(
    features: Tensor, reference: Moments, points: int = POINTS, least: int | None = None, seed: int = 0
) -> Extrapolated:
    """FD of features [N, D] to a reference that is itself large, extrapolated to infinitely many samples.

    The line goes through `points` distances, of random parts of `least` samples up to all; by default from a tenth, but
    from twice as many as columns. Raises UsageError where there are too few samples for a line.
    """
    n, dim = check_rows(features).shape
    least = max(n // PART, ENOUGH * dim) if least is None else least
    if points < 2 or not 2 <= least < n:
        parts = f"{points} points of parts of {least} up to {n}"
        raise UsageError(f"a line takes at least 2 points, and more samples than its smallest part, got {parts}")
    sizes = [round(v) for v in torch.linspace(least, n, points, dtype=torch.float64).tolist()]
    values = [frechet(Moments.of(features[_drawn(n, size, seed, i)]), reference) for i, size in enumerate(sizes)]
    value, slope = _line([1 / size for size in sizes], values)
    return Extrapolated(value, slope, tuple(sizes), tuple(values))


def _drawn(n: int, size: int, seed: int, i: int) -> Tensor:
    return torch.randperm(n, generator=generator(seed, i))[:size]


def _line(x: list[float], y: list[float]) -> tuple[float, float]:
    """Least squares: the value at 0, and the slope."""
    across = torch.tensor(x, dtype=torch.float64)
    found = torch.linalg.lstsq(torch.stack([torch.ones_like(across), across], 1), torch.tensor(y).double()[:, None])
    value, slope = found.solution[:, 0].tolist()
    return value, slope
