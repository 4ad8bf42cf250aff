"""Samplers at equal numbers of network evaluations: how far each ends from where the probability flow leads.

    python -m benchmarks.solvers > benchmarks/results/solvers.md

The denoisers are exact ones of Gaussian mixtures, guided, so all that is off is the sampler's. The truth is the guided
flow dx/du followed by the classical Runge-Kutta method in many steps, from the same noise. A sampler takes as many
steps over the grid "u" as its evaluations allow. The error is the root mean square over coordinates, starts and
mixtures, whose data are of about unit spread. A minute or two on an idle CPU; it needs no model.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import Noise, Step
from lodestar.guidance import Guided, guide
from lodestar.oracle import GaussianMixture
from lodestar.process import DDPM, EDM, Cosine, Flow, Process, levels
from lodestar.samplers import sampler

NAMES = ("ddim", "heun", "dpmpp_2m", "unipc")
PROCESSES: tuple[Process, ...] = (Cosine(), DDPM(), EDM(), Flow())
RULES = ("cfg(1)", "cfg(4)")
EVALUATIONS = (5, 8, 10, 15, 20)
CLASSES = 3
MIXTURES = ((2, 0), (2, 1), (16, 2), (16, 3))  # dimensions, seed
RUNGE_KUTTA = 333  # steps: every third of DDPM's, at which it has corners; off by 1e-4 at most


@dataclass(frozen=True, eq=False)
class Task:
    """Noise to be sampled from, and where that leads."""

    process: Process
    rule: str
    mixture: GaussianMixture
    labels: Label
    x: Tensor  # [B, D] at u = 1
    truth: Tensor  # [B, D]

    def off(self, name: str, evaluations: int) -> Tensor:
        """How far [B, D] a sampler of this name ends from the truth."""
        return self._drawn(name, evaluations) - self.truth

    def _drawn(self, name: str, evaluations: int) -> Tensor:
        """With the most steps that need no more evaluations."""
        for steps in range(evaluations, 0, -1):
            guided = guide(self.rule, self.mixture, self.labels)
            x = sampler(name)(guided, self.x, levels(self.process, steps))
            if guided.calls <= evaluations:
                break
        return x


def task(process: Process, rule: str, dim: int, seed: int, starts: int) -> Task:
    mixture = GaussianMixture.random(dim, CLASSES, torch.Generator().manual_seed(seed))
    labels = Label(torch.arange(starts) % CLASSES)
    x = levels(process, 1)[0].sigma * Noise(range(starts)).normal(-1, 0, (dim,)).double()
    return Task(process, rule, mixture, labels, x, flowed(guide(rule, mixture, labels), process, x))


def flowed(guided: Guided, process: Process, x: Tensor, steps: int = RUNGE_KUTTA) -> Tensor:
    """Where dx/du leads from u = 1 to u = 0, and the x0 predicted there: the jump to clean of every sampler."""

    def slope(x: Tensor, u: float) -> Tensor:
        level = process.level(torch.tensor(u, dtype=torch.float64))
        return guided(x, Step(level)).velocity(level)

    h = -1 / steps
    for i in range(steps):
        here, half, there = (1 - (i + part) / steps for part in (0, 0.5, 1))
        a = slope(x, here)
        b = slope(x + h / 2 * a, half)
        c = slope(x + h / 2 * b, half)
        x = x + h / 6 * (a + 2 * b + 2 * c + slope(x + h * c, there))
    return guided(x, Step(process.level(torch.tensor(0.0, dtype=torch.float64)))).x0


Row = tuple[str, str, int, dict[str, float]]  # process, rule, evaluations, the error of each sampler


def rows(starts: int, counts: Sequence[int] = EVALUATIONS, processes: Sequence[Process] = PROCESSES) -> Iterator[Row]:
    for process in processes:
        for rule in RULES:
            tasks = [task(process, rule, dim, seed, starts) for dim, seed in MIXTURES]
            for n in counts:
                squares = {name: torch.stack([t.off(name, n).square().mean() for t in tasks]) for name in NAMES}
                yield type(process).__name__, rule, n, {k: float(v.mean().sqrt()) for k, v in squares.items()}


def lines(found: Sequence[Row]) -> Iterator[str]:
    """The table in Markdown, the best of each row in bold, and who is nearer how often."""
    yield f"| process | rule | evaluations | {' | '.join(NAMES)} |\n| --- | --- | ---: |{' ---: |' * len(NAMES)}"
    for process, rule, n, errors in found:
        best = min(errors.values())
        cells = (f"**{e:.4f}**" if e == best else f"{e:.4f}" for e in errors.values())
        yield f"| {process} | {rule} | {n} | {' | '.join(cells)} |"
    nearer = sum(errors["unipc"] < errors["dpmpp_2m"] for *_, errors in found)
    yield f"\n`unipc` ends nearer than `dpmpp_2m` in {nearer} of {len(found)} rows."


def main() -> None:
    parser = ArgumentParser("python -m benchmarks.solvers", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--starts", type=int, default=64, help="of each mixture")
    starts = parser.parse_args().starts
    torch.set_num_threads(1)  # these tensors are tiny: more threads only wait for each other
    print(f"""# Samplers at equal numbers of network evaluations

Made by `python -m benchmarks.solvers`: {starts} starts from each of {len(MIXTURES)} Gaussian mixtures, root mean square
distance from where the exact guided flow leads, the best in bold.
""")
    print("\n".join(lines(list(rows(starts)))))


if __name__ == "__main__":
    main()
