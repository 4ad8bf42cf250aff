"""Memorisation: how near samples are to the nearest training picture, and whether that is nearer than it should be.

    copying = P(d(sample) < d(held out)) + P(equal) / 2        d: to the nearest training picture; 0.5: as it should be

Of a model that has learnt the distribution, samples are as near to the training set as pictures that were held out;
0.5 to 1 says how many are nearer: the statistic of a Mann-Whitney test, by which Meehan et al. 2020, arXiv:2004.05675,
sec. 2, define copying. A distance alone says little: it depends on the detector and on the size of the training set.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import UsageError
from .pairs import Rows, distances, exact, rows_of, visit
from .rows import check_pair


def nearest(samples: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """To the nearest training picture of each sample: the distance, float64 [N], and its number, int64 [N].

    Of features [N, D] and [M, D]. Of two that are equally near up to rounding, it may be either.
    """
    check_pair(samples, training)
    b, a = rows_of(training, samples)
    found = _Least(a, b)
    visit(a, b, found)
    return exact(a, torch.arange(len(samples), device=samples.device), b, found.index).sqrt(), found.index


def copying(samples: Tensor, held_out: Tensor) -> float:
    """The probability that a sample is nearer than a held-out picture, from the distances [N] and [M] of `nearest`."""
    if samples.ndim != 1 or held_out.ndim != 1 or not len(samples) or not len(held_out):
        raise UsageError("copying compares distances [N] and [M], at least one each")
    ordered = held_out.double().sort().values
    farther = len(ordered) - torch.searchsorted(ordered, samples.double(), right=True)
    not_nearer = len(ordered) - torch.searchsorted(ordered, samples.double())
    return float((farther + not_nearer).double().mean()) / (2 * len(ordered))


class _Least:
    """A visitor that keeps the nearest of the second set."""

    def __init__(self, a: Rows, b: Rows) -> None:
        self.a, self.b = a, b
        self.square = torch.full_like(a.square, torch.inf)
        self.index = torch.zeros(len(a.near), dtype=torch.int64, device=a.near.device)

    def __call__(self, i: slice, j: slice, products: Tensor) -> None:
        square, index = distances(self.a, self.b, i, j, products).min(1)
        nearer = square < self.square[i]
        self.square[i] = torch.where(nearer, square, self.square[i])
        self.index[i] = torch.where(nearer, index + j.start, self.index[i])
