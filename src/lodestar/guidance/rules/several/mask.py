"""Another rule where a mask of the picture says so. Bar-Tal et al. 2023, arXiv:2302.08113 (MultiDiffusion).

    (1 - m) inner + m inside        m: how much of a pixel is the other rule's, from 0 to 1

which is the paper's mean over a pixel, weighted, of steps that are affine in their predictions: two prompts with the
weights 1 - m and m. grid has m in rows from the upper left, and a pixel is in the cell where its middle is, of whatever
size the picture: [[1, 0]] is its left half, and a grid of as many cells as pixels says each. It may be a tensor [H, W],
of truths too, or [B, H, W], a mask for each sample; so has a cell of a list a number for each sample. More masks are
more of these, the outer one on top. m 0: the inner rule, 1: the other one, both exactly.

A choice by pixel or a mean, the same in every space; a rule that takes a norm takes it over the whole picture. Cost:
what either rule asks, once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....errors import UsageError
from ...fields import Number, number, values
from ...rule import rule
from .within import Within, middles


@rule
class Mask(Within):
    """A rule, and another one inside a mask."""

    grid: Sequence[Sequence[Number]] = ((1.0, 0.0),)  # rows of cells, each from 0 to 1; ours, the left half

    def __post_init__(self) -> None:
        super().__post_init__()
        grid = tuple(tuple(number("grid", cell, (0, 1)) for cell in row) for row in _rows(self.grid))
        object.__setattr__(self, "grid", grid)  # the dataclass is frozen, and this is still its birth

    def of(self, height: int, width: int) -> Tensor:
        each = [torch.stack(torch.broadcast_tensors(*map(values, row)), -1) for row in self.grid]
        grid = torch.stack(torch.broadcast_tensors(*each), -2)  # [h, w] or [B, h, w]
        rows, columns = ((middles(n) * m).long() for n, m in zip((height, width), grid.shape[-2:], strict=True))
        return grid[..., rows[:, None], columns]


def _rows(grid: object) -> list[list[Number]]:
    """The cells of each row, as they were given."""
    if isinstance(grid, Tensor) and grid.ndim in (2, 3):
        grid = [list(row) for row in (grid.float() if grid.ndim == 2 else grid.float().movedim(0, -1))]
    found = grid if isinstance(grid, list | tuple) else []
    lengths = {len(row) if isinstance(row, list | tuple) else 0 for row in found}
    if len(lengths) != 1 or 0 in lengths:
        got = " ".join(repr(grid).split())[:60]
        raise UsageError(f"grid must be rows of as many numbers, from the upper left, such as [[1, 0]], got {got}")
    return list(found)
