"""How sure a number is: 95 % intervals from independent splits, from independent values, and by bootstrap.

    splits: mean +- t_{k - 1} s / sqrt k of the metric of k splits (Student 1908), each with seeds of its own
    bootstrap: the 2.5th and 97.5th percentile of the metric of rows drawn with replacement (Efron 1979)

A distance that is biased at n samples (Frechet, Inception score, recall) takes splits: a row that is drawn twice makes
it worse still, and the bootstrap's interval may not even contain the value. Means (accuracy, CLIP score, saturation)
take either. Two things that were measured with the same seeds are compared by the splits' differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, isfinite, pi, sin, sqrt, tan
from statistics import NormalDist, fmean, stdev

import torch
from torch import Tensor

from ...core import generator
from ...errors import UsageError

OUTSIDE = 0.05  # of a two-sided 95 % interval
FEW = 30  # degrees of freedom, up to which a percentile of Student's t is found exactly
DRAWS = 1000


@dataclass(frozen=True)
class Interval:
    """A value and what 95 of 100 such intervals contain."""

    value: float
    low: float
    high: float
    n: int  # splits, values or rows that it is of

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


def by_splits(values: Sequence[float]) -> Interval:
    """Of a metric's values on independent splits, or of a mean of independent values. Raises UsageError below two."""
    if len(values) < 2 or not all(map(isfinite, values)):
        raise UsageError(f"an interval takes at least 2 finite values, got {list(values)[:5]}")
    mean, half = fmean(values), student(len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def bootstrap(metric: Callable[[Tensor], float], n: int, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Of a metric of rows, which is given their numbers int64 [n]: all once, and then `draws` times at random."""
    if n < 2 or draws < 2:
        raise UsageError(f"a bootstrap takes at least 2 rows and 2 draws, got {n} and {draws}")
    drawn = (torch.randint(n, (n,), generator=generator(seed, i)) for i in range(draws))
    found = torch.tensor([metric(rows) for rows in drawn], dtype=torch.float64)
    low, high = found.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Interval(metric(torch.arange(n)), low, high, n)


@cache
def student(freedom: int, outside: float = OUTSIDE) -> float:
    """The t beyond which, on both sides, this share of Student's distribution lies: of 0.05 the 97.5th percentile.

    Exact of few degrees of freedom, and else after Fisher & Cornish 1960, to four digits.
    """
    if freedom <= FEW:
        return sqrt(freedom) * tan(_angle(freedom, outside))
    z, v = NormalDist().inv_cdf(1 - outside / 2), freedom
    second, third = 5 * z**5 + 16 * z**3 + 3 * z, 3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z
    return z + (z**3 + z) / (4 * v) + second / (96 * v**2) + third / (384 * v**3)


def _angle(freedom: int, outside: float) -> float:
    """atan(t / sqrt(freedom)) with this share beyond +- t, by halving."""
    low, high = 0.0, pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < 1 - outside else (low, middle)
    return low


def _inside(angle: float, freedom: int) -> float:
    """The share within +- t: Abramowitz & Stegun 1964, 26.7.3 and 26.7.4."""
    odd = freedom % 2
    total, term = 0.0, cos(angle) ** odd
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * cos(angle) ** 2
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
