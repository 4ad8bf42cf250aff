"""How far apart two distributions are: Wasserstein-1 between samples, total variation between masses.

    W1 in 1-D    integral |F(t) - G(t)| dt
    sliced W1    its mean over directions, those of the half circle. Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3
    TV           half the sum of |p - q| over cells

Samples of one and the same distribution are not at distance 0: what n of them show is the floor under which nothing can
be seen, and belongs beside every distance that is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UsageError
from .grid import directions

DIRECTIONS = 32
RESAMPLES = 100


@dataclass(frozen=True, eq=False)
class Distance:
    """A distance between samples, and what it came to when they were drawn anew."""

    value: float
    resampled: Tensor  # [R] each side from itself: how the value scatters
    mixed: Tensor  # [R] both sides from all of them: what it would be if there were no difference

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, the pivotal bootstrap's: resampling adds about the noise that sampling had added, so it is mirrored.

        The lower end is 0 where no difference at all would have shown as much in 1 of 40; the upper one is at least
        the value. Between 200 samples each that were half a standard deviation apart it held in 91 % of 200 trials.
        """
        low, high = torch.quantile(self.resampled, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        seen = self.value > float(torch.quantile(self.mixed, 0.975))
        return max(0.0, 2 * self.value - high) if seen else 0.0, max(self.value, 2 * self.value - low)

    @classmethod
    def mean(cls, several: Sequence[Distance]) -> Distance:
        """The mean of distances between independent samples, each resampled as often."""
        value = sum(d.value for d in several) / len(several)
        resampled = torch.stack([d.resampled for d in several]).mean(0)
        return cls(value, resampled, torch.stack([d.mixed for d in several]).mean(0))


def w1(x: Tensor, y: Tensor, x_weights: Tensor | None = None, y_weights: Tensor | None = None) -> Tensor:
    """W1 [] between points x [N] and y [M] on a line; their weights sum to 1, none: equal ones."""
    return _between(torch.cat([x, y]).double(), torch.cat([_weights(x, x_weights), -_weights(y, y_weights)]))


def sliced_w1(x: Tensor, y: Tensor) -> Tensor:
    """The mean of W1 [] over directions between x [N, 2] and y [M, 2]; on a line, [N, 1] and [M, 1], W1 itself."""
    return _sliced(torch.cat([x, y]).double(), torch.cat([_weights(x), -_weights(y)]))


def distance(x: Tensor, y: Tensor, generator: torch.Generator, resamples: int = RESAMPLES) -> Distance:
    """Sliced W1, on a line W1, between samples x [N, D] and y [M, D], with its interval."""
    each = (_resampled(len(x), resamples, generator), -_resampled(len(y), resamples, generator))
    drawn = torch.cat([torch.cat(each), _mixed(len(x), len(y), resamples, generator)], 1)
    found = _sliced(torch.cat([x, y]).float(), drawn).double()  # fp32: it is a quantile that is asked
    return Distance(float(sliced_w1(x, y)), found[:resamples], found[resamples:])


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """TV [] between the masses p and q [cells] in the same cells; what lies in no cell counts as one cell more."""
    return 0.5 * ((p - q).abs().sum() + (p.sum() - q.sum()).abs())


def _sliced(points: Tensor, mass: Tensor) -> Tensor:
    """The mean [...] over directions of the distance between the positive and the negative masses [P, ...]."""
    if points.shape[1] not in (1, 2):
        raise UsageError(f"distances are between samples in 1 or 2 dimensions, got {points.shape[1]}")
    lines = directions(points.shape[1], DIRECTIONS).to(points)
    return torch.stack([_between(points @ line, mass) for line in lines]).mean(0)


def _between(points: Tensor, mass: Tensor) -> Tensor:
    """integral |F - G| [...] for the masses [P, ...], of one side positive and of the other negative, at points [P]."""
    points, order = points.sort()
    return points.diff() @ mass[order].cumsum(0)[:-1].abs()


def _weights(x: Tensor, weights: Tensor | None = None) -> Tensor:
    return torch.full((len(x),), 1 / len(x), dtype=torch.float64) if weights is None else weights.double()


def _resampled(n: int, resamples: int, generator: torch.Generator) -> Tensor:
    """Weights [n, R] of n draws with replacement, R times."""
    draws = torch.randint(n, (resamples, n), generator=generator)
    return torch.stack([torch.bincount(row, minlength=n) for row in draws], 1).float() / n


def _mixed(n: int, m: int, resamples: int, generator: torch.Generator) -> Tensor:
    """Masses [n + m, R]: which of the points are of the first side and which of the second, at random."""
    mass = torch.cat([torch.full((n,), 1 / n), torch.full((m,), -1 / m)])
    return torch.stack([mass[torch.randperm(n + m, generator=generator)] for _ in range(resamples)], 1)
