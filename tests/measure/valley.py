"""A bench that is made up: a Frechet distance that is a bowl over the logarithm of the scale, and what rises with it.

Noise comes in pairs: most of it is that of the split, alike for every setting, and a little is the setting's own.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from math import exp, log, sqrt

import torch

from lodestar.core import generator
from lodestar.measure.numbers import METRICS, Number, _spread
from lodestar.measure.setting import Evaluation, Setting

SPLITS = 10
STEPS = 20


class Valley:
    """`drawn` is how many samples each setting cost; `seed` the noise; `unsure` how noisy the accuracy is."""

    def __init__(self, best: float = 4.0, seed: int = 0, n: int = 400, own: float = 0.3, unsure: float = 0.1) -> None:
        self.best, self.seed, self.n, self.own, self.unsure = best, seed, n, own, unsure
        self.drawn: dict[str, int] = {}

    def __call__(self, setting: Setting) -> Evaluation:
        [found] = self.growing(setting, [self.n])
        return found

    def growing(self, setting: Setting, counts: Sequence[int]) -> Iterator[Evaluation]:
        for n in counts:
            self.drawn[setting.key] = n
            numbers = dict(self._numbers(setting, n))
            yield Evaluation(setting, {m: numbers[m] for m in METRICS if m in numbers}, n, self.rows(setting))

    @property
    def samples(self) -> int:
        return sum(self.drawn.values())

    def rows(self, setting: Setting) -> float:
        return (2 if scale(setting) != 1 else 1) * (setting.steps or STEPS)

    def fd(self, setting: Setting) -> float:
        """Without noise."""
        steps = 0.0 if setting.steps is None else 20 / setting.steps
        return 10 + steps + 6 * log(scale(setting) / self.best) ** 2 + 4 * penalty(setting)

    def _numbers(self, setting: Setting, n: int) -> Iterator[tuple[str, Number]]:
        bias = 800 / n
        yield "FD", self._noisy(self.fd(setting) + bias, setting, n, 10.0)
        yield "prompt accuracy", self._noisy(1 - 0.6 * exp(-scale(setting) / 3), setting, n, self.unsure)
        yield "saturation", self._noisy(0.1 * scale(setting), setting, n, 0.1)

    def _noisy(self, value: float, setting: Setting, n: int, spread: float) -> Number:
        key = zlib.crc32(setting.key.encode())
        common = torch.randn(SPLITS, generator=generator(self.seed, n, 1), dtype=torch.float64)
        own = torch.randn(SPLITS, generator=generator(self.seed, n, key), dtype=torch.float64)
        parts = value + (common + self.own * own) * spread / sqrt(n / SPLITS)
        return _spread(float(parts.mean()), parts.tolist())


def scale(setting: Setting) -> float:
    found = re.search(r"cfg\(([\d.]+)", setting.guidance or "cfg(1)")
    return float(found[1]) if found else 1.0


def penalty(setting: Setting) -> float:
    """Of an interval, how far its upper bound is from 2; 1 without one."""
    found = re.search(r"hi=([\d.]+)", setting.guidance or "")
    return min(1.0, abs(log(float(found[1]) / 2)) / 3) if found else 1.0
