"""Where next on a line: the lowest point of a parabola through what was measured, within the bounds.

A metric is a smooth function of the logarithm of a strength, and settings that share their noise err alike, so that few
points tell where it is lowest: successive parabolic interpolation (Brent 1973, Algorithms for Minimization without
Derivatives, ch. 5) by least squares over the nearest five, with bounds interpolated linearly between neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import torch
from torch import Tensor

NEAR = 0.04  # in the logarithm: nearer to what was measured nothing is learnt
FIRST = 0.25  # in the logarithm: how far from a lone point the next one is
POINTS = 400  # of the line that are looked at
THROUGH = 5  # points that the parabola goes by
MOST = 1e6  # stands for infinity where one interpolates


@dataclass(frozen=True)
class Tried:
    """A strength, and what it gave."""

    at: float
    cost: float  # less is better
    excess: float = 0.0  # above 0 outside of the bounds; inside, how far, below 0

    @property
    def rank(self) -> tuple[float, float]:
        return max(self.excess, 0.0), self.cost


def refined(tried: Sequence[Tried], low: float, high: float) -> float | None:
    """The next strength to measure in [low, high]: around the best one, or the next best where all there is known."""
    line = sorted(tried, key=lambda t: t.at)
    ranked = sorted(range(len(line)), key=lambda i: line[i].rank)
    if len(line) < 3:
        return _beside(line, ranked[0], low, high)
    x = torch.tensor([log(t.at) for t in line], dtype=torch.float64)
    for best in ranked:
        points = _around(best, x, log(low), log(high))
        if len(points):
            return exp(float(_lowest(points, x, line, best)))
    return None


def _around(best: int, x: Tensor, low: float, high: float) -> Tensor:
    """Points between its neighbours, or the ends, that are not yet known."""
    ends = torch.cat([x.new_tensor([low]), x, x.new_tensor([high])])
    points = torch.linspace(float(ends[best]), float(ends[best + 2]), POINTS, dtype=x.dtype)
    return points[(points[:, None] - x).abs().amin(1) >= NEAR]


def _beside(line: Sequence[Tried], best: int, low: float, high: float) -> float | None:
    """A little more, else a little less, than the best of one or two."""
    near = (line[best].at * exp(FIRST * k) for k in (1, -1, 2, -2))
    known = [t.at for t in line]
    return next((x for x in near if low <= x <= high and all(abs(log(x / at)) >= NEAR for at in known)), None)


def _lowest(points: Tensor, x: Tensor, line: Sequence[Tried], best: int) -> Tensor:
    """Of these points the one that should be best."""
    excess = _between(points, x, torch.tensor([t.excess for t in line], dtype=torch.float64))
    cost = _parabola(points, x, torch.tensor([t.cost for t in line], dtype=torch.float64), best)
    inside = excess <= 0
    return points[inside][cost[inside].argmin()] if bool(inside.any()) else points[excess.argmin()]


def _parabola(points: Tensor, x: Tensor, cost: Tensor, best: int) -> Tensor:
    """Fitted to those nearest to the best one, where they bend up; else the distance from the middle of the gap."""
    known = cost.isfinite()
    nearest = (x - x[best]).abs().masked_fill(~known, torch.inf).argsort()[: min(THROUGH, int(known.sum()))]
    powers = torch.stack([(x[nearest] - x[best]) ** k for k in range(3)], 1)
    a, b, c = torch.linalg.lstsq(powers, cost[nearest, None], driver="gelsd").solution[:, 0]
    if len(nearest) >= 3 and c > 0:
        return a + b * (points - x[best]) + c * (points - x[best]) ** 2
    return -(points[:, None] - x).abs().amin(1)


def _between(points: Tensor, x: Tensor, values: Tensor) -> Tensor:
    """Values at points, linear between their neighbours and constant beyond."""
    values = values.nan_to_num(posinf=MOST, neginf=-MOST)
    i = torch.searchsorted(x, points).clamp(1, len(x) - 1)
    share = ((points - x[i - 1]) / (x[i] - x[i - 1])).clamp(0, 1)
    return torch.lerp(values[i - 1], values[i], share)
