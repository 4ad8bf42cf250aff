"""Kernel distance (KID with Inception's features): the unbiased squared MMD with a cubic kernel, the mean over subsets.
Binkowski et al. 2018, arXiv:1801.01401, sec. 4 and eq. 4.

    k(x, y) = (<x, y> / D + 1)^3
    MMD^2 = sum_{i != j} k(x_i, x_j) / m (m - 1) + sum_{i != j} k(y_i, y_j) / m (m - 1) - 2 sum_ij k(x_i, y_j) / m^2

A constant of the kernel cancels, so k - 1 with t = <x, y> / D is summed, and no digits are lost: thirds of it,
t + t (t + t t / 3), are two passes over memory.
Every pair is computed once and counted for all subsets that have both: their sums are the diagonal of M^T K M, where
M says who is in which. Unbiased, hence below 0 at times; the spread is that of subsets, no confidence interval.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from .pairs import Rows, rows_of, visit
from .parts import Parts
from .rows import check_pair

SUBSETS, SIZE, SEED = 100, 1000, 2020  # torch-fidelity's

Subsets = tuple[Tensor, Tensor]  # int64 [S, m]: the rows of each subset in the first and in the second set


class Kid(Parts):
    """The distance of each subset; these overlap."""


def kid(a: Tensor, b: Tensor, subsets: Subsets | None = None) -> Kid:
    """Kernel distance of features [N, D] and [M, D], by default over the subsets that torch-fidelity draws."""
    check_pair(a, b, 2)
    first, second = rows_of(a, b)
    found = Kernel(first, second, draw(len(a), len(b)) if subsets is None else subsets)
    for pair, visitor in zip(((first, first), (second, second), (first, second)), found.visitors, strict=True):
        visit(*pair, visitor)
    return found.kid()


def draw(n: int, m: int, subsets: int = SUBSETS, size: int = SIZE, seed: int = SEED) -> Subsets:
    """Rows without replacement, drawn as torch-fidelity does, so that the same numbers come out.

    Raises UsageError for subsets larger than a set.
    """
    if not 2 <= size <= min(n, m):
        raise UsageError(f"subsets of {size} cannot be drawn from {n} and {m} samples: give a smaller size")
    source = np.random.RandomState(seed)
    drawn = [(source.choice(n, size, replace=False), source.choice(m, size, replace=False)) for _ in range(subsets)]
    first, second = (torch.from_numpy(np.stack(rows)) for rows in zip(*drawn, strict=True))
    return first, second


class Kernel:
    """Sums of the kernel over subsets, filled by three visits: the first set's, the second's, and between them."""

    def __init__(self, first: Rows, second: Rows, subsets: Subsets) -> None:
        _check(first, second, subsets)
        a, b = (_Side(rows, chosen) for rows, chosen in zip((first, second), subsets, strict=True))
        self.size = subsets[0].shape[1]
        self.within = _Sums(a, a), _Sums(b, b)
        self.between = _Sums(a, b)
        self.visitors = (*self.within, self.between)

    def kid(self) -> Kid:
        m = self.size
        own = sum((s.total - s.a.diagonal) / (m * (m - 1)) for s in self.within)
        return Kid(tuple((3 * (own - 2 * self.between.total / m**2)).tolist()))


def _check(first: Rows, second: Rows, subsets: Subsets) -> None:
    """Raises UsageError for subsets that are none."""
    for rows, chosen in zip((first, second), subsets, strict=True):
        if chosen.ndim != 2 or chosen.is_floating_point():
            raise UsageError(f"subsets are numbers of rows [S, m], got {chosen.dtype} {list(chosen.shape)}")
        if chosen.shape != subsets[0].shape or chosen.shape[1] < 2:
            shapes = " and ".join(str(list(s.shape)) for s in subsets)
            raise UsageError(f"subsets have at least 2 rows, and as many rows of both sets, got {shapes}")
        if int(chosen.min()) < 0 or int(chosen.max()) >= len(rows.near):
            raise UsageError(f"subsets are of rows from 0 to {len(rows.near) - 1}")
        if bool((chosen.sort(1).values.diff(dim=1) == 0).any()):
            raise UsageError("subsets are drawn without replacement: one has the same row twice")


class _Side:
    def __init__(self, rows: Rows, chosen: Tensor) -> None:
        self.dim = rows.near.shape[1]
        self.part = rows.along / self.dim  # of <x, y> / D, that of one row
        self.member = rows.near.new_zeros(len(rows.near), len(chosen))  # [N, S]
        self.member.scatter_(0, chosen.T.to(rows.near.device), 1)
        thirds = _third((rows.square + 2 * rows.along).double() / self.dim)
        self.diagonal = thirds @ self.member.double()  # [S]: each row with itself


class _Sums:
    """A visitor that sums the kernel over all pairs of each subset."""

    def __init__(self, a: _Side, b: _Side) -> None:
        self.a, self.b = a, b
        self.total = a.diagonal.new_zeros(a.member.shape[1])  # float64 [S]

    def __call__(self, i: slice, j: slice, products: Tensor) -> None:
        third = _third(torch.add(self.b.part[j], products, alpha=1 / self.a.dim).add_(self.a.part[i, None]))
        found = (third @ self.b.member[j]).mul_(self.a.member[i]).sum(0, dtype=torch.float64)
        self.total += found if self.a is not self.b or i == j else 2 * found


def _third(t: Tensor) -> Tensor:
    return torch.addcmul(t, t, torch.addcmul(t, t, t, value=1 / 3))
