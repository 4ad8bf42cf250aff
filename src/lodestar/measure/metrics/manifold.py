"""Precision and recall, density and coverage: shares of samples that lie in balls around those of the other set.

The ball of a sample reaches to its k-th neighbour in its own set. Kynkaanniemi et al. 2019, arXiv:1904.06991, eq. 1-3:

    precision = share of generated samples in the ball of any real one        k = 3
    recall    = share of real samples in the ball of any generated one

Naeem et al. 2020, arXiv:2002.09797, eq. 4 and 5:

    density  = number of real balls that a generated sample is in, the mean, divided by k        k = 5; may exceed 1
    coverage = share of real samples with a generated one in their ball

Exact, whatever the precision of the features: where rounding could change which of two distances is smaller, both are
computed again in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UsageError
from .pairs import PART, Rows, all_distances, distances, exact, rows_of, visit
from .rows import check_pair

K, WIDER = 3, 5  # the papers'
SPARE = 3  # neighbours kept beyond those that are asked for, among which rounding may have changed the order


@dataclass(frozen=True, eq=False)
class Manifold:
    inside: Tensor  # bool [M]: the generated sample lies in the ball of a real one
    reached: Tensor  # bool [N]: the real sample lies in the ball of a generated one
    covered: Tensor  # bool [N]: a generated sample lies in the ball of the real one
    balls: int  # pairs of a generated sample and a real ball that it lies in
    k: int = K  # of precision and recall
    wider: int = WIDER  # of density and coverage

    @property
    def precision(self) -> float:
        return float(self.inside.double().mean())

    @property
    def recall(self) -> float:
        return float(self.reached.double().mean())

    @property
    def density(self) -> float:
        return self.balls / (self.wider * len(self.inside))

    @property
    def coverage(self) -> float:
        return float(self.covered.double().mean())


def manifold(real: Tensor, generated: Tensor, k: int = K, wider: int = WIDER) -> Manifold:
    """Precision, recall, density and coverage of features [N, D] and [M, D]. Raises UsageError for too few samples."""
    check_neighbours(real, generated, k, wider)
    a, b = rows_of(real, generated)
    of_a, of_b = Nearest(a, wider=max(k, wider)), Nearest(b, wider=k)
    visit(a, a, of_a)
    visit(b, b, of_b)
    between = Between(of_a, of_b, k, wider)
    visit(a, b, between)
    return between.manifold()


def check_neighbours(real: Tensor, generated: Tensor, k: int, wider: int) -> None:
    check_pair(real, generated)
    if min(k, wider) < 1:
        raise UsageError(f"the number of a neighbour must be at least 1, got {min(k, wider)}")
    if min(len(real), len(generated)) <= max(k, wider):
        n = f"{len(real)} real and {len(generated)} generated"
        raise UsageError(f"a {max(k, wider)}th neighbour takes more samples than that, got {n}: give more")


class Nearest:
    """A visitor that finds each row's nearest others in its own set."""

    def __init__(self, rows: Rows, wider: int) -> None:
        self.rows, n = rows, len(rows.near)
        self.kept = min(wider + SPARE, n - 1)
        self.square = rows.near.new_full((n, self.kept), torch.inf)  # ascending, up to rounding
        self.index = torch.zeros(n, self.kept, dtype=torch.int64, device=rows.near.device)

    def __call__(self, i: slice, j: slice, products: Tensor) -> None:
        found = distances(self.rows, self.rows, i, j, products)
        if i == j:
            found.fill_diagonal_(torch.inf)
        else:
            self._take(j, i, found, 1)
        self._take(i, j, found, 0)

    def _take(self, mine: slice, others: slice, found: Tensor, own: int) -> None:
        """Of distances whose dimension `own` is mine, the other the others'."""
        changed = (found.amin(1 - own) < self.square[mine, -1]).nonzero()[:, 0]  # the others keep what they have
        found = found.index_select(own, changed).movedim(own, 0)
        square, index = found.topk(min(self.kept, found.shape[1]), largest=False)
        rows = changed + mine.start
        square, index = (
            torch.cat([self.square[rows], square], 1),
            torch.cat([self.index[rows], index + others.start], 1),
        )
        self.square[rows], order = square.topk(self.kept, largest=False)
        self.index[rows] = index.gather(1, order)

    def radius(self, k: int) -> Tensor:
        """Squared distance float64 [N] to the k-th other."""
        every, near = torch.arange(len(self.index), device=self.index.device), 2 * self.rows.doubt(self.rows)
        radius = exact(self.rows, every, self.rows, self.index[:, k - 1])
        unsure = (self.square.diff(dim=1)[:, max(0, k - 2) : k] <= near).any(1)  # which is the k-th
        for mine in every[unsure].split(PART):
            radius[mine] = self._among_kept(mine, k)
        return radius

    def _among_kept(self, mine: Tensor, k: int) -> Tensor:
        """Of some rows, by the exact distances to all that were kept."""
        index = self.index[mine]
        found = exact(self.rows, mine.repeat_interleave(self.kept), self.rows, index.flatten())
        radius = found.reshape(index.shape).sort(1).values[:, k - 1]
        if self.kept < len(self.index) - 1:  # some are not kept, and might be nearer
            unsure = self.square[mine, -1].double() - self.rows.doubt(self.rows) <= radius
            radius[unsure] = self._again(mine[unsure], radius[unsure], k)
        return radius

    def _again(self, mine: Tensor, most: Tensor, k: int) -> Tensor:
        """Of some rows, from all others that can be within the distance `most`, which the k-th is at most."""
        rough = all_distances(self.rows, mine, self.rows)
        rough.scatter_(1, mine[:, None], torch.inf)
        i, j = (rough <= most[:, None] + self.rows.doubt(self.rows)).nonzero(as_tuple=True)
        found = torch.full(rough.shape, torch.inf, dtype=torch.float64, device=rough.device)
        found[i, j] = exact(self.rows, mine[i], self.rows, j)
        return found.kthvalue(k, 1).values


class Between:
    """A visitor that finds which samples lie in which balls of the other set."""

    def __init__(self, real: Nearest, generated: Nearest, k: int, wider: int) -> None:
        self.a, self.b, self.k, self.wider = real.rows, generated.rows, k, wider
        self.small, self.wide, self.other = real.radius(k), real.radius(wider), generated.radius(k)
        self.doubt = self.a.doubt(self.b)
        n, m = len(self.small), len(self.other)
        self.inside, self.reached = (self.small.new_full((size,), torch.inf) for size in (m, n))
        self.covered, self.balls = self.reached.clone(), 0

    def __call__(self, i: slice, j: slice, products: Tensor) -> None:
        """Least signed squared distances to the balls' surfaces; and the number of balls."""
        found = distances(self.a, self.b, i, j, products)
        small, wide, other = (r.to(found) for r in (self.small[i, None], self.wide[i, None], self.other[j]))
        self.inside[j] = torch.minimum(self.inside[j], (found - small).amin(0))
        self.reached[i] = torch.minimum(self.reached[i], (found - other).amin(1))
        margin = found.sub_(wide)
        least = margin.amin(1)
        self.covered[i] = torch.minimum(self.covered[i], least)
        near = (least <= self.doubt).nonzero()[:, 0]  # balls that have any of these
        self.balls += self._count(near + i.start, j, margin[near])

    def _count(self, i: Tensor, j: slice, margin: Tensor) -> int:
        """Margins of at most 0; those that rounding could have moved across are looked at again."""
        sure, most = (int((margin <= by).count_nonzero()) for by in (-self.doubt, self.doubt))
        if sure == most:
            return sure
        x, y = ((margin > -self.doubt) & (margin <= self.doubt)).nonzero(as_tuple=True)
        x, y = i[x], y + j.start
        return sure + int((exact(self.a, x, self.b, y) <= self.wide[x]).sum())

    def manifold(self) -> Manifold:
        inside = self._settled(self.inside, self.b, self.a, self.small[None])
        reached = self._settled(self.reached, self.a, self.b, self.other[None])
        covered = self._settled(self.covered, self.a, self.b, self.wide[:, None])
        return Manifold(inside, reached, covered, self.balls, self.k, self.wider)

    def _settled(self, margin: Tensor, points: Rows, others: Rows, radius: Tensor) -> Tensor:
        """Whether the least margin is at most 0; where rounding could say either, pairs that matter are computed."""
        settled = margin <= 0
        for mine in (margin.abs() <= self.doubt).nonzero()[:, 0].split(PART):
            reach = radius if len(radius) == 1 else radius[mine]  # of the others' balls, or of the points' own
            rough = all_distances(points, mine, others) - reach
            i, j = (rough.abs() <= self.doubt).nonzero(as_tuple=True)
            inside = exact(points, mine[i], others, j) <= reach.expand(rough.shape)[i, j]
            settled[mine] = (rough < -self.doubt).any(1).index_fill(0, i[inside], True)
        return settled
