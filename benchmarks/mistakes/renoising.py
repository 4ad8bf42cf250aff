"""Going back to a noisy level with the sqrt(beta) of one training step, instead of by the posterior.

    posterior    alpha' x0 + r sigma' eps + sqrt(1 - r^2) sigma' z,   r = (alpha / sigma) (sigma' / alpha')

between any two levels. Ho, Jain & Abbeel 2020, arXiv:2006.11239, eq. 6 and 7.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import lodestar
from lodestar.core import Denoise, Level, Noise, Prediction
from lodestar.figure.mixture import Together
from lodestar.process import Levels, levels
from lodestar.samplers.ddpm import ddpm
from lodestar.samplers.renoise import ratio
from lodestar.samplers.walk import Stepwise, walk

from .plane import NULL, PROCESS, apart, asked, floor, perfect, true
from .row import Row

ALPHA = PROCESS.alphas  # sqrt(alphas_cumprod)
BETA = 1 - (ALPHA / torch.cat([torch.ones(1, dtype=torch.float64), ALPHA[:-1]])) ** 2

Back = Callable[[Prediction, Level, Level, Tensor], Tensor]


def renoised(x0: Tensor, t: int, t_next: int, z: Tensor) -> Tensor:
    return ALPHA[t_next] * x0 + BETA[t].sqrt() * z


def around_x0(p: Prediction, at: Level, to: Level, z: Tensor) -> Tensor:
    return renoised(p.x0, _t(at), _t(to), z)


def around_the_mean(p: Prediction, at: Level, to: Level, z: Tensor) -> Tensor:
    """The posterior's mean, with the noise of one training step for that of all that are skipped."""
    return to.alpha * p.x0 + ratio(at, to) * to.sigma * p.eps + BETA[_t(at)].sqrt() * z


def measure(n: int) -> list[Row]:
    labels = asked(n)
    exact, least = true(labels), floor(labels)
    rows = []
    for what, back, steps in (
        ("20 steps", around_x0, 20),
        ("200 steps", around_x0, 200),
        ("20 steps, around the posterior's mean", around_the_mean, 20),
    ):
        wrong, right = (apart(x, exact, labels) for x in (looped(back, labels, steps), drawn(ddpm, labels, steps)))
        rows.append(Row(f"{what}: distance from the truth", wrong, right, least))
    return rows


def drawn(sampler: Stepwise, labels: Tensor, steps: int) -> Tensor:
    """Samples [B, 2] by one of the library's samplers."""
    denoise, x, grid, noise = _start(labels, steps)
    return sampler(denoise, x, grid, noise=noise)


def looped(back: Back, labels: Tensor, steps: int) -> Tensor:
    """Samples [B, 2] by the loop of a snippet that goes back to the next level so, from the same noise."""
    denoise, x, grid, noise = _start(labels, steps)
    for at, to in walk(grid):
        p, z = denoise(x, at), noise.normal(at.index, 0, (2,))
        x = p.x0 if to.sigma == 0 else back(p, at.level, to, z)
    return x


def _start(labels: Tensor, steps: int) -> tuple[Denoise, Tensor, Levels, Noise]:
    denoise = lodestar.guide("cfg(1)", perfect(), labels, kind="eps", process=PROCESS, named={"null": NULL})
    noise = Together(range(len(labels)))
    return denoise, noise.normal(-1, 0, (2,)).double(), levels(PROCESS, steps, "trailing"), noise


def _t(level: Level) -> int:
    return int(PROCESS.timestep(level))
