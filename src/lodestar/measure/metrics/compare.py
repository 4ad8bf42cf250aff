"""Everything that two sets of features tell, in one pass over their pairs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .frechet import frechet
from .kid import Kernel, Kid, Subsets, draw
from .manifold import WIDER, Between, K, Manifold, Nearest, check_neighbours
from .moments import Moments
from .pairs import rows_of, visit


@dataclass(frozen=True, eq=False)
class Compared:
    frechet: float
    kid: Kid
    manifold: Manifold


def compare(
    real: Tensor, generated: Tensor, subsets: Subsets | None = None, k: int = K, wider: int = WIDER
) -> Compared:
    """Frechet and kernel distance, precision, recall, density and coverage of features [N, D] and [M, D].

    The same numbers as each function's of its own, at less than half of the cost: most of it is the products of all
    pairs. The subsets are those of `kid`, the real samples first.
    """
    check_neighbours(real, generated, k, wider)
    a, b = rows_of(real, generated)
    kernel = Kernel(a, b, draw(len(real), len(generated)) if subsets is None else subsets)
    own_a, own_b, between_sums = kernel.visitors
    of_a, of_b = Nearest(a, wider=max(k, wider)), Nearest(b, wider=k)
    visit(a, a, of_a, own_a)
    visit(b, b, of_b, own_b)
    between = Between(of_a, of_b, k, wider)
    visit(a, b, between, between_sums)
    return Compared(frechet(Moments.of(generated), Moments.of(real)), kernel.kid(), between.manifold())
