"""Who draws from p(x | c)^scale p(x)^(1 - scale): classifier-free guidance, or particles with Feynman-Kac weights.

The denoiser is exact, so all that is off is the sampler's. In each data set the class has two clusters, one of them
where another class is too: there p(c | x) is small, and guidance forsakes what the target keeps a share of. Distances
are W1 on the line and sliced W1 in the plane, to exact samples of the target; the floor is what as many exact samples
show. Medians over seeds. About 20 minutes of one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import Level, Prediction, generator
from lodestar.figure.mixture import Together
from lodestar.guidance import guide
from lodestar.oracle import GaussianMixture, Tilted, sliced_w1
from lodestar.process import Cosine, levels
from lodestar.samplers import sampler

from .interleave import LEAST, Series, ratio, series
from .machine import steady
from .options import Options
from .report import Finding, Report

TARGET = 5.0  # times nearer
SCALES = (2.0, 4.0, 8.0)
GROUP = 64  # the smaller one
CENTRES = {"1-D": ((-1.5,), (0.8,), (1.6,)), "2-D": ((-1.2, -0.6), (0.7, 0.5), (1.4, 0.9))}
STDS = (0.4, 0.4, 0.5)
CLASSES = (0, 0, 1)


@dataclass(frozen=True)
class Size:
    n: int = 20_000  # samples, in one group
    exact: int = 200_000  # samples that stand for the target
    steps: int = 1000
    fewer: int = 256
    seeds: int = 8
    beside: int = LEAST  # seeds of what is shown beside


@dataclass(frozen=True, eq=False)
class Round:
    """A mixture of round clusters as a network that is exact: the oracle's own formulas, in fewer operations."""

    mixture: GaussianMixture
    allowed: Tensor = field(init=False)  # [K, C + 1], log of 0 or 1: the clusters of each class, at the end of all

    def __post_init__(self) -> None:
        each = torch.stack([self.mixture.of(torch.tensor(c)) for c in (*sorted(set(CLASSES)), -1)], 1)
        object.__setattr__(self, "allowed", each.float().log())

    def __call__(self, x: Tensor, level: Level, labels: Label) -> Prediction:
        """E[x0 | x, c] and E[eps | x, c] of x [R, D]; what is summed over K is [K, R], which is quicker than [R, K]."""
        means, variances = self.mixture.means.to(x), self.mixture.variances[:, :1].to(x)  # [K, D], [K, 1]
        variance = level.alpha**2 * variances + level.sigma**2
        square = x.square().sum(1) - 2 * level.alpha * (means @ x.T) + level.alpha**2 * means.square().sum(1)[:, None]
        log_p = self.mixture.weights.to(x).log()[:, None] - square / (2 * variance) - x.shape[1] / 2 * variance.log()
        r = (log_p + self.allowed[:, labels.index]).softmax(0)
        eps, near = (
            w.sum(0)[:, None] * x - level.alpha * (w.T @ means) for w in (r / variance, r * variances / variance)
        )
        return Prediction(r.T @ means + level.alpha * near, level.sigma * eps)


@dataclass(frozen=True, eq=False)
class Task:
    """A class of a mixture, a scale, and what it is to be."""

    name: str
    network: Round
    scale: float
    exact: Tensor  # [N, D]

    def off(self, text: str, rule: str, n: int, steps: int, seed: int) -> float:
        """How far from the target n samples of this sampler and rule are."""
        grid, noise = levels(Cosine(), steps), Together(range(seed * n, (seed + 1) * n))
        x = grid[0].sigma.float() * noise.normal(-1, 0, self.exact.shape[1:])
        guided = guide(rule, self.network, Label(torch.zeros(n, dtype=torch.int64)))
        return float(sliced_w1(sampler(text)(guided, x, grid, noise=noise), self.exact))

    def floor(self, n: int, seeds: int) -> Series:
        again = Tilted(self.network.mixture, 0, self.scale)
        found = (float(sliced_w1(again.sample(n, generator(1, seed)), self.exact)) for seed in range(seeds))
        return self._series("exact samples", found)

    def cfg(self, n: int, steps: int, seeds: int) -> Series:
        found = (self.off("ancestral", f"cfg({self.scale})", n, steps, seed) for seed in range(seeds))
        return self._series(f"cfg, ancestral, {steps} steps", found)

    def particles(self, n: int, text: str, steps: int, seeds: int) -> Series:
        found = (self.off(text, f"tilt({self.scale})", n, steps, seed) for seed in range(seeds))
        return self._series(f"tilt, {text}, {steps} steps", found)

    def _series(self, what: str, found: Iterator[float]) -> Series:
        return series(f"{self.name}: {what}", "W1", found)


def tasks(exact: int) -> Iterator[Task]:
    for dim, centres in CENTRES.items():
        means = torch.tensor(centres, dtype=torch.float64)
        spread = torch.tensor(STDS).double().square()[:, None, None] * torch.eye(means.shape[1], dtype=torch.float64)
        mixture = GaussianMixture(torch.ones(len(means)), means, spread, torch.tensor(CLASSES))
        for scale in SCALES:
            points = Tilted(mixture, 0, scale).sample(exact, generator(0))
            yield Task(f"{dim}, scale {scale:g}", Round(mixture), scale, points)


def measure(options: Options) -> Report:
    torch.set_num_threads(1)  # these tensors are small: more threads only wait for each other
    size = Size(128, 1000, 8, 4, 1, 1) if options.quick else Size()
    found: list[Series] = []
    findings: list[Finding] = []
    beside: dict[str, dict[str, float]] = {}
    for task in tasks(size.exact):
        sides = compared(task, size)
        cfg, tilt, fewer, *others = sides.values()
        found += [task.floor(size.n, size.seeds), *sides.values()]
        findings.append(Finding(f"{task.name}: how many times nearer", ratio(cfg, tilt), TARGET, "at least"))
        for what, side in zip(list(sides)[3:], others, strict=True):
            beside.setdefault(what, {})[task.name] = ratio(fewer if "steps" in what else cfg, side)
    settings = {"samples": size.n, "centres": CENTRES, "std": STDS, "classes": CLASSES, "drawn": "class 0"}
    curves = {f"Times nearer {what}": [each] for what, each in beside.items()}
    return Report("tilting", TITLE, settings, found, findings, NOTES, curves, steady())


def compared(task: Task, size: Size) -> dict[str, Series]:
    """The two that are asked about, and what is shown beside them."""
    whole, small = f"particles(group={size.n})", f"particles(group={GROUP})"
    return {
        "cfg": task.cfg(size.n, size.steps, size.seeds),
        "tilt": task.particles(size.n, whole, size.steps, size.seeds),
        "cfg, fewer steps": task.cfg(size.n, size.fewer, size.beside),
        f"in {size.fewer} steps": task.particles(size.n, whole, size.fewer, size.beside),
        f"in groups of {GROUP}": task.particles(size.n - size.n % GROUP, small, size.steps, size.beside),
        "without stirring": task.particles(size.n, f"{whole[:-1]}, stir=1)", size.steps, size.beside),
    }


TITLE = "Exact tilting: classifier-free guidance and particles"
NOTES = (
    "W1 on the line, sliced W1 in the plane, to exact samples of p(x | c)^scale p(x)^(1 - scale); medians over seeds. "
    f"What exact samples show is the floor. Groups of {GROUP}: of the largest multiple of it.",
    "Stir 1 is the reverse SDE alone, as in Skreta et al. 2025, arXiv:2503.02819.",
)
