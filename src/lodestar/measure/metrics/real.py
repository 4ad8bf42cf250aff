"""Real pictures that many sets of samples are compared with: what is theirs alone is computed once."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...errors import UsageError
from .compare import Compared
from .frechet import frechet
from .kid import Kernel, Subsets
from .manifold import WIDER, Between, K, Nearest, check_neighbours
from .moments import Moments
from .pairs import Rows, visit
from .rows import check_pair


@dataclass(eq=False)
class Real:
    """Of features [N, D], the neighbours of each and the kernel of all pairs."""

    features: Tensor
    k: int = K
    wider: int = WIDER
    _own: dict[int, Tensor] = field(default_factory=dict)  # the kernel's sums by the size of the subsets

    def __post_init__(self) -> None:
        check_neighbours(self.features, self.features, self.k, self.wider)
        self.origin = self.features.double().mean(0)
        self.rows = Rows.about(self._single(self.features), self.origin)
        self.nearest = Nearest(self.rows, wider=max(self.k, self.wider))
        visit(self.rows, self.rows, self.nearest)
        self.moments = Moments.of(self.features)

    def compare(self, generated: Tensor) -> Compared:
        """What `compare` says of samples [M, D]; the kernel distance is over all pairs, not over random subsets."""
        check_neighbours(self.features, generated, self.k, self.wider)
        check_pair(self.features, generated)
        b = Rows.about(self._single(generated), self.origin)
        kernel = Kernel(self.rows, b, whole(len(self.features), len(generated)))
        own, own_b, between_sums = kernel.visitors
        of_b = Nearest(b, wider=self.k)
        visit(b, b, of_b, own_b)
        between = Between(self.nearest, of_b, self.k, self.wider)
        visit(self.rows, b, between, between_sums)
        if kernel.size not in self._own:
            visit(self.rows, self.rows, own)
            self._own[kernel.size] = own.total
        own.total = self._own[kernel.size]
        return Compared(frechet(Moments.of(generated), self.moments), kernel.kid(), between.manifold())

    def _single(self, features: Tensor) -> Tensor:
        """In its own precision, but at least single."""
        return features.to(torch.promote_types(features.dtype, torch.float32))


def whole(n: int, m: int) -> Subsets:
    """Subsets with which the kernel distance of n and m samples is that of all of them: the larger set in parts.

    Its remainder, less than a part, is left out.
    """
    size = min(n, m)
    if size < 2:
        raise UsageError(f"a kernel distance takes at least 2 samples of each, got {n} and {m}")
    parts = max(n, m) // size
    every, one = torch.arange(parts * size).reshape(parts, size), torch.arange(size).expand(parts, size)
    return (every, one) if n >= m else (one, every)
