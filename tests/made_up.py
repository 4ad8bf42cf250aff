"""Made-up points of a study, of which the truth is known."""

import torch

from lodestar.measure.numbers import Number
from lodestar.measure.setting import Evaluation, Setting

SPLITS, N = 10, 1000


def number(value: float, noise: float = 0.0, seed: int = 0) -> Number:
    """Splits around a value: luck that all points share, and noise of this point's own, with an error of `noise`."""
    shared = torch.randn(SPLITS, generator=torch.Generator().manual_seed(99)).double()
    own = torch.randn(SPLITS, generator=torch.Generator().manual_seed(seed)).double()
    own = (own - own.mean()) / own.std() * noise * SPLITS**0.5
    splits = value + 3 * shared + own
    return Number(value, value - 1, value + 1, tuple(splits.tolist()))


def point(w: float, steps: int = 64, n: int = N, noise: float = 0.0, **values: float) -> Evaluation:
    """Metrics by name, in which _ stands for a space."""
    seed = hash((w, steps)) % 1000
    numbers = {name.replace("_", " "): number(v, noise, seed + i) for i, (name, v) in enumerate(values.items())}
    setting = Setting(f"cfg({1 + w:g})", "ancestral(noise_mix=0.3)", steps, "u")
    return Evaluation(setting, numbers, n, 128.0, seconds=1.0, facts={"rule": "cfg", "scale": 1 + w, "w": w})


def curve(distances: dict[float, float], noise: float = 0.0, steps: int = 64, **others: dict[float, float]):
    """A point at each w, with this Frechet distance and these other metrics."""
    return {
        w: point(w, steps, noise=noise, FD=fd, **{name: values[w] for name, values in others.items()})
        for w, fd in distances.items()
    }
