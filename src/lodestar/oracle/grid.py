"""Equal cells over a box in one or two dimensions, and integrals on them by the midpoint rule.

For a smooth density that has died away at the border the rule converges faster than any power of the cells' width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UsageError


def directions(dim: int, n: int) -> Tensor:
    """[n, 2], evenly around the half circle; on a line [1, 1]."""
    if dim == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    angle = torch.arange(n, dtype=torch.float64) * (math.pi / n)
    return torch.stack([angle.cos(), angle.sin()], 1)


@dataclass(frozen=True)
class Grid:
    """cells^D boxes between low and high, the last axis running fastest. Raises UsageError for D above 2."""

    low: tuple[float, ...]  # [D]
    high: tuple[float, ...]  # [D]
    cells: int  # along each axis

    def __post_init__(self) -> None:
        if len(self.low) not in (1, 2) or len(self.high) != len(self.low):
            raise UsageError(f"a grid has 1 or 2 dimensions, got {len(self.low)}")
        if self.cells < 1 or any(b <= a for a, b in zip(self.low, self.high, strict=True)):
            raise UsageError(f"a grid needs cells >= 1 and low < high, got {self}")

    @property
    def widths(self) -> Tensor:
        """Of a cell [D]."""
        return (self._high - self._low) / self.cells

    @property
    def volume(self) -> float:
        """Of a cell."""
        return float(self.widths.prod())

    def centres(self) -> Tensor:
        """[cells^D, D]."""
        steps = torch.arange(self.cells, dtype=torch.float64) + 0.5
        axes = [low + steps * width for low, width in zip(self._low, self.widths, strict=True)]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))

    def masses(self, log_density: Callable[[Tensor], Tensor]) -> Tensor:
        """What each cell holds [cells^D] of the density whose logarithm takes [N, D] to [N]."""
        return log_density(self.centres()).exp() * self.volume

    def shares(self, x: Tensor) -> Tensor:
        """The share of the samples x [N, D] in each cell [cells^D]; what lies outside is in none."""
        at = ((x.double() - self._low) / self.widths).floor().long()
        inside = ((at >= 0) & (at < self.cells)).all(1)
        index = sum(at[inside, d] * self.cells ** (at.shape[1] - 1 - d) for d in range(at.shape[1]))
        return torch.bincount(index, minlength=self.cells ** at.shape[1]).double() / len(x)

    def within(self, kept: Tensor) -> Grid:
        """As many cells over the box around the kept ones (bool [cells^D]) and one more on each side."""
        at = kept.reshape((self.cells,) * len(self.low)).nonzero()
        low = self._low + (at.amin(0) - 1) * self.widths
        high = self._low + (at.amax(0) + 2) * self.widths
        return Grid(tuple(low.tolist()), tuple(high.tolist()), self.cells)

    def at_border(self, kept: Tensor) -> bool:
        """Whether any of the kept cells is at the border."""
        at = kept.reshape((self.cells,) * len(self.low)).nonzero()
        return bool(((at == 0) | (at == self.cells - 1)).any())

    def doubled(self) -> Grid:
        """As many cells over a box twice as wide, about the same centre."""
        half = (self._high - self._low) / 2
        return Grid(tuple((self._low - half).tolist()), tuple((self._high + half).tolist()), self.cells)

    @property
    def _low(self) -> Tensor:
        return torch.tensor(self.low, dtype=torch.float64)

    @property
    def _high(self) -> Tensor:
        return torch.tensor(self.high, dtype=torch.float64)
