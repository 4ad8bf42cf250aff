"""The tilted density that guidance is said to aim at. Ho & Salimans 2022, arXiv:2207.12598, Sec. 3 and Fig. 2.

    q(x) = p(x | c)^scale p(x)^(1 - scale) / Z        scale 1: the conditional, 0: the marginal, both exactly

which is p(x | c) p(c | x)^w with the paper's w = scale - 1. No sampler that follows the guided score draws from it in
general (Bradley & Nakkiran 2024, arXiv:2408.09000): it is there to be compared with what is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError
from .grid import Grid, directions
from .mixture import CLEAN, GaussianMixture

CELLS = {1: 4096, 2: 256}  # along each axis, by dimension
SEARCH = {1: 1024, 2: 96}  # the same, while the box is sought
DEPTH = 40.0  # what is e^-40 of the peak is left out
DOUBLINGS = 40
TOLERANCE = 1e-6  # of log Z, between this grid and one of half as many cells
ANGLES = 1024  # in which the tails of a density in the plane are compared


@dataclass(frozen=True, eq=False)
class Class:
    """One class of a mixture at a level, -1 being all of them: a density that knows its tails."""

    mixture: GaussianMixture
    label: int
    level: Level

    def log_density(self, x: Tensor) -> Tensor:
        return self.mixture.log_density(x, self.level, torch.tensor([self.label]))

    def score(self, x: Tensor) -> Tensor:
        return self.mixture.score(x, self.level, torch.tensor([self.label]))

    @property
    def kept(self) -> Tensor:
        """bool [K]: its components."""
        return self.mixture.of(torch.tensor(self.label))

    @property
    def means(self) -> Tensor:
        """[k, D] of its components."""
        return self.level.alpha * self.mixture.means[self.kept]

    @property
    def variances(self) -> Tensor:
        """[k, D] of its components along their axes."""
        return self.level.alpha**2 * self.mixture.variances[self.kept] + self.level.sigma**2

    def least_precision(self, lines: Tensor) -> Tensor:
        """The least d^T V_k^{-1} d [N] among its components, for each direction d of lines [N, D]."""
        along = torch.einsum("nd,kde->nke", lines, self.mixture.axes[self.kept])
        return (along**2 / self.variances).sum(2).amin(1)


@dataclass(frozen=True, eq=False)
class Tilted:
    """A class of a mixture in 1 or 2 dimensions, tilted away from all of it, at a level.

    Raises UsageError where it cannot be normalised, and where the cells are too few to do it to TOLERANCE. Away from
    all classes it can always be from scale 0 on, for p(c | x) is at most 1; not so below 0, or away from what is wider.
    """

    mixture: GaussianMixture
    label: int
    scale: float
    away: int = -1  # the class to tilt away from, as `negative` does; -1: all of them
    weak: GaussianMixture | None = None  # the mixture to tilt away from; None: the same one
    level: Level = CLEAN
    cells: int | None = None  # along each axis; None: CELLS
    grid: Grid = field(init=False, repr=False)
    log_z: float = field(init=False)
    cumulative: Tensor = field(init=False, repr=False)  # [cells^D] the mass in the cells up to each, the last one 1

    def __post_init__(self) -> None:
        dim = self.mixture.means.shape[1]
        if dim not in CELLS:
            raise UsageError(f"a tilted density is normalised on a grid, in 1 or 2 dimensions, got {dim}")
        if not math.isfinite(self.scale):
            raise UsageError(f"scale must be finite, got {self.scale}")
        self._check_tails(dim)
        grid = replace(self._box(SEARCH[dim]), cells=self.cells or CELLS[dim])
        log_q = self._unnormalised(grid.centres())
        log_z = _log_integral(log_q, grid)
        self._check_cells(grid, log_z)
        mass = (log_q - log_q.max()).exp().cumsum(0)
        for name, value in {"grid": grid, "log_z": log_z, "cumulative": mass / mass[-1]}.items():
            object.__setattr__(self, name, value)

    def log_density(self, x: Tensor) -> Tensor:
        """log q [B] at x [B, D]."""
        return self._unnormalised(x) - self.log_z

    def score(self, x: Tensor) -> Tensor:
        """grad log q [B, D]: the guided score, at this level."""
        return self.scale * self._towards.score(x) + (1 - self.scale) * self._away.score(x)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """x [n, D]: a cell by the inverse of the cumulated masses, and a place in it; exact to a cell's width."""
        u = torch.rand(n, 1 + len(self.grid.low), generator=generator, dtype=torch.float64)
        cell = torch.searchsorted(self.cumulative, u[:, 0].contiguous()).clamp(max=len(self.cumulative) - 1)
        return self.grid.centres()[cell] + (u[:, 1:] - 0.5) * self.grid.widths

    def masses(self, grid: Grid | None = None) -> Tensor:
        """What each cell [cells^D] of a grid holds; of its own grid all, that is 1."""
        return (grid or self.grid).masses(self.log_density)

    @property
    def _towards(self) -> Class:
        return Class(self.mixture, self.label, self.level)

    @property
    def _away(self) -> Class:
        return Class(self.weak or self.mixture, self.away, self.level)

    def _unnormalised(self, x: Tensor) -> Tensor:
        return self.scale * self._towards.log_density(x) + (1 - self.scale) * self._away.log_density(x)

    def _check_tails(self, dim: int) -> None:
        """Far out, log p falls as half the square of the distance times the least precision among its components."""
        lines = directions(dim, ANGLES)
        towards, away = self._towards.least_precision(lines), self._away.least_precision(lines)
        if bool((self.scale * towards + (1 - self.scale) * away <= 0).any()):
            mend = "use a scale nearer to 1, or tilt away from something narrower"
            raise UsageError(f"at scale {self.scale:g} the tilted density has no finite integral: {mend}")

    def _box(self, cells: int) -> Grid:
        """Around all that counts: widened until nothing is at the border, then narrowed."""
        grid = self._start(cells)
        for _ in range(DOUBLINGS):
            if not grid.at_border(kept := self._kept(grid)):
                finer = grid.within(kept)
                return finer.within(self._kept(finer))
            grid = grid.doubled()
        raise UsageError(f"at scale {self.scale:g} the tilted density has no bounds that could be found")

    def _start(self, cells: int) -> Grid:
        means, reach = self._towards.means, 3 * self._towards.variances.max().sqrt()
        return Grid(tuple((means.amin(0) - reach).tolist()), tuple((means.amax(0) + reach).tolist()), cells)

    def _kept(self, grid: Grid) -> Tensor:
        """bool [cells^D]: where it counts."""
        log_q = self._unnormalised(grid.centres())
        return log_q > log_q.max() - DEPTH

    def _check_cells(self, grid: Grid, log_z: float) -> None:
        half = replace(grid, cells=max(1, grid.cells // 2))
        if abs(_log_integral(self._unnormalised(half.centres()), half) - log_z) > TOLERANCE:
            mend = f"give more cells than {grid.cells}"
            raise UsageError(f"the grid is too coarse for the tilted density at scale {self.scale:g}: {mend}")


def _log_integral(log_q: Tensor, grid: Grid) -> float:
    return float(log_q.logsumexp(0)) + math.log(grid.volume)
