"""A network that does not read its noise level.

The best that such a network can say is known here: what the exact ones say, averaged over the levels that x may be at,

    blind(x) = sum_t p(x at t) f(x, t) / sum_t p(x at t)

In few dimensions x does not tell its level; in many it does, and then what is lost depends on what the network puts out
(Sun et al. 2025, arXiv:2502.13129).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import lodestar
from lodestar.conditions import Label
from lodestar.core import Kind, Level
from lodestar.figure.mixture import CLASSES, STD, Together
from lodestar.oracle import GaussianMixture
from lodestar.process import Flow, Process, levels
from lodestar.samplers.ddim import ddim

from . import plane
from .plane import PROCESS, apart, asked, floor, true
from .row import Row

MANY = 16
TRAINED: dict[str, tuple[Kind, Process]] = {"eps, DDPM": ("eps", PROCESS), "velocity, flow": ("flow", Flow())}


def among(dimensions: int) -> GaussianMixture:
    """The classes of the plane, with more dimensions that say nothing of them."""
    means = torch.cat([plane.MIXTURE.means, torch.zeros(CLASSES, dimensions - 2)], 1)
    spread = STD**2 * torch.eye(dimensions).expand(CLASSES, -1, -1)
    return GaussianMixture(torch.ones(CLASSES), means, spread, torch.arange(CLASSES))


@dataclass(frozen=True)
class Blind:
    """The best network of a kind that does not read its level: (x, level, condition) -> [R, D]."""

    mixture: GaussianMixture
    kind: Kind
    process: Process
    levels: int = 24  # that it was trained at

    def __call__(self, x: Tensor, level: Level, condition: Label) -> Tensor:
        u = (torch.arange(self.levels, dtype=torch.float64) + 0.5) / self.levels
        at, xs = self.process.level(u.repeat_interleave(len(x))), x.repeat(self.levels, 1)
        labels = condition.index.repeat(self.levels)
        weight = self.mixture.log_density(xs, at, labels).reshape(self.levels, -1, 1).softmax(0)
        said = self.mixture(xs, at, Label(labels)).reading(self.kind, at).reshape(self.levels, *x.shape)
        return (weight * said).sum(0)


def measure(n: int) -> list[Row]:
    labels = asked(n // 3)
    exact, least = true(labels), floor(labels)
    rows = []
    for name, (kind, process) in TRAINED.items():
        for dimensions in (2, MANY):
            wrong, right = (apart(x, exact, labels) for x in both(labels, kind, process, dimensions))
            rows.append(Row(f"{name}, {dimensions} dimensions: distance from the truth", wrong, right, least))
    return rows


def both(labels: Tensor, kind: Kind, process: Process, dimensions: int = 2, steps: int = 20) -> tuple[Tensor, Tensor]:
    """Samples in the plane [B, 2] by the blind network and by the one that sees, from the same noise."""
    grid, mixture = levels(process, steps), among(dimensions)
    x = grid[0].sigma * Together(range(len(labels))).normal(-1, 0, (dimensions,)).double()
    networks = (Blind(mixture, kind, process), mixture.as_network(kind))
    blind, seeing = (ddim(lodestar.guide("cfg(1)", f, Label(labels), kind=kind), x, grid)[:, :2] for f in networks)
    return blind, seeing
