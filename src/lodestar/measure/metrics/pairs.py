"""All pairs of two sets of features, once: inner products in blocks, shown to whoever wants to know something of them.

KID, precision, recall, density and coverage all come from these products, which cost nearly all of their time. They are
computed in the features' own precision about a common origin, the mean of the first set:

    <x, y> = <x - o, y - o> + along(x) + along(y)        |x - y|^2 = |x - o|^2 + |y - o|^2 - 2 <x - o, y - o>

What sums of them is done in float64; whoever compares distances knows `Rows.doubt`, how far off they can be, and looks
again in float64 (`squared`) where that could matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from ...errors import UsageError

BLOCK = 768  # rows: a block of products, 2 MiB, stays in the cache for those who look at it
CHUNK = 32  # rows, or pairs of them, of which float64 is computed together: in the cache too
PART = 256  # rows that are looked at again together
SPARE = 2**16  # times: how far sums of squared lengths stay from what the precision can hold

Visitor = Callable[[slice, slice, Tensor], None]  # rows of the first and of the second set, and <x - o, y - o> [I, J]


@dataclass(frozen=True, eq=False)
class Rows:
    """Features about an origin."""

    given: Tensor  # [N, D]
    near: Tensor  # [N, D], less the origin
    square: Tensor  # [N], |x - o|^2
    along: Tensor  # [N], <x, o> - |o|^2 / 2

    @classmethod
    def about(cls, features: Tensor, origin: Tensor) -> Rows:
        """Raises UsageError for features so large or so small that their squares are no numbers of their precision."""
        features, origin = features.detach(), origin.detach()
        near = torch.empty_like(features)
        square, along = (features.new_empty(len(features)) for _ in range(2))
        for rows in blocks(len(features), CHUNK):
            apart = features[rows].to(torch.float64, copy=True).sub_(origin)
            near[rows], square[rows] = apart, apart.square().sum(1)
            along[rows] = apart @ origin + origin.square().sum() / 2
        (low, high), kind = (float(v) for v in near.aminmax()), torch.finfo(features.dtype)
        largest = max(-low, high)
        if largest and not sqrt(kind.tiny) / kind.eps < largest < sqrt(kind.max / SPARE / near.shape[1]):
            size, name = "small" if largest < 1 else "large", str(features.dtype).split(".")[-1]
            raise UsageError(f"features are too {size} for {name}: give all of them times a constant")
        return cls(features, near, square, along)

    def doubt(self, other: Rows) -> float:
        """How far any squared distance to another set can be off: a dot product of D roundings counts twice, and the
        coordinates, both squares and their sums are rounded too.
        """
        unit = torch.finfo(self.near.dtype).eps / 2
        x, y = (rows.square.max().double().sqrt() for rows in (self, other))
        return float(unit * (2 * self.near.shape[1] * x * y + 8 * (x + y).square()))


def rows_of(a: Tensor, b: Tensor) -> tuple[Rows, Rows]:
    """Both sets about the mean of the first, in the higher of their precisions, but at least single."""
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    a, b = a.to(dtype), b.to(dtype)
    origin = a.mean(0).double()  # rounded, but the same for both
    return Rows.about(a, origin), Rows.about(b, origin)


def visit(a: Rows, b: Rows, *visitors: Visitor) -> None:
    """Show each visitor all products, which it must not change or keep; of one set with itself those with J >= I.

    In the rows' own precision, whatever autocast is around.
    """
    with torch.autocast(a.near.device.type, enabled=False):
        _visit(a, b, visitors)


def _visit(a: Rows, b: Rows, visitors: Sequence[Visitor]) -> None:
    memory = a.near.new_empty(BLOCK * BLOCK)  # the same for all: what is new is mapped page by page
    for i in blocks(len(a.near), BLOCK):
        for j in blocks(len(b.near), BLOCK):
            if a is b and j.start < i.start:
                continue
            x, y = a.near[i], b.near[j]
            products = torch.mm(x, y.T, out=memory[: len(x) * len(y)].view(len(x), len(y)))
            for visitor in visitors:
                visitor(i, j, products)


def blocks(n: int, size: int) -> Iterator[slice]:
    yield from (slice(at, min(at + size, n)) for at in range(0, n, size))


def distances(a: Rows, b: Rows, i: slice, j: slice, products: Tensor) -> Tensor:
    """Squared distances [I, J], up to `doubt`."""
    return torch.add(b.square[j], products, alpha=-2).add_(a.square[i, None])


def squared(x: Tensor, y: Tensor) -> Tensor:
    """Exact squared distances of rows that lie side by side, [..., D] to float64 [...]."""
    return x.to(torch.float64, copy=True).sub_(y).square_().sum(-1)


def exact(a: Rows, i: Tensor, b: Rows, j: Tensor) -> Tensor:
    """Exact squared distances float64 [P] of row i to row j of pairs int64 [P]."""
    out = torch.empty(len(i), dtype=torch.float64, device=a.given.device)
    for part in blocks(len(i), CHUNK):  # written in place: a list of small pieces would scatter the memory
        out[part] = squared(a.given.index_select(0, i[part]), b.given.index_select(0, j[part]))
    return out


def all_distances(a: Rows, i: Tensor, b: Rows) -> Tensor:
    """Squared distances [I, N] of some rows to all of the other set, up to `doubt`."""
    with torch.autocast(a.near.device.type, enabled=False):
        return torch.add(a.square[i, None] + b.square, a.near[i] @ b.near.T, alpha=-2)
