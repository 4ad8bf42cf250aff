"""How often training drops a condition: a probability, a table of probabilities, and the coins that fall by them.

One coin a sample decides. By a table, as InstructPix2Pix has it (Brooks et al. 2023, arXiv:2211.09800, sec. 3.2.1),

    {"text": 0.05, "image": 0.05, "text+image": 0.05}

at most one entry happens to a sample: here 5 % lose the text alone, 5 % the image alone, and 5 % both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError, unknown


@dataclass(frozen=True)
class DropRamp:
    """A drop probability that depends on the noise level: linear in log sigma/alpha between two ends."""

    low: float = 0.0  # probability at little noise, up to at[0]
    high: float = 0.2  # probability at much noise, from at[1] on
    at: tuple[float, float] = (0.28, 5.42)  # sigma/alpha; the ends of CFG's interval for SD-XL (arXiv:2404.07724)

    def __post_init__(self) -> None:
        _check(self.low)
        _check(self.high)
        if len(self.at) != 2 or not 0 < self.at[0] < self.at[1] < math.inf:
            raise UsageError(f"at must be two rising values of sigma/alpha, got {self.at}")

    def __call__(self, level: Level) -> Tensor:
        """The probability at a level, [] or [B] in float64."""
        lo, hi = map(math.log, self.at)
        way = ((level.noise_to_signal.log() - lo) / (hi - lo)).clamp(0, 1)
        return self.low + (self.high - self.low) * way


Drop: TypeAlias = float | DropRamp  # what a schema says
Rate: TypeAlias = float | Tensor  # a probability, or one for each sample [B]
Dropped: TypeAlias = Tensor | dict[str, Tensor]  # bool [B]: the rows dropped, of all or of each part by name


def rates(drop: Drop | Mapping[str, Drop], level: Level) -> Rate | dict[str, Rate]:
    """What a schema says, at the samples' own levels."""
    if isinstance(drop, Mapping):
        return {parts: _rate(each, level) for parts, each in drop.items()}
    return _rate(drop, level)


def most(drop: Drop | Mapping[str, Drop]) -> float:
    """The greatest probability of dropping anything, over all noise levels. Raises UsageError if it is none."""
    if isinstance(drop, Mapping):
        return _total(most(each) for each in drop.values())
    return max(drop.low, drop.high) if isinstance(drop, DropRamp) else _check(drop)


def names(entry: str) -> frozenset[str]:
    """The parts that an entry of a table names: "text+image" has two."""
    return frozenset(entry.split("+"))


def coins(n: int, p: Rate | Mapping[str, Rate], generator: torch.Generator | None = None) -> Dropped:
    """One coin for each of n samples, and what it drops: bool [n], or by a table one for each part.

    A probability of 0 is never and 1 is always, exactly.
    """
    device = "cpu" if generator is None else generator.device
    return fallen(torch.rand(n, generator=generator, device=device), p)


def fallen(coin: Tensor, p: Rate | Mapping[str, Rate]) -> Dropped:
    """What coins [B], uniform in [0, 1), drop: the entries of a table lie one after the other."""
    if not isinstance(p, Mapping):
        return coin < _checked(p, coin)
    dropped: dict[str, Tensor] = {}
    below = torch.zeros_like(coin, dtype=torch.float64)
    for entry, rate in p.items():
        above = below + _checked(rate, coin)
        for name in names(entry):
            dropped[name] = dropped.get(name, coin < 0) | ((below <= coin) & (coin < above))
        below = above
    _total([float(below.max())] if len(below) else [])
    return dropped


def anything(dropped: Dropped, n: int) -> Tensor:
    """bool [n]: the rows that lost something."""
    if isinstance(dropped, Tensor):
        return dropped
    return torch.stack([torch.zeros(n, dtype=torch.bool), *(mask.cpu() for mask in dropped.values())]).any(0)


def check_drop(drop: Drop, null: str, nulls: tuple[str, ...]) -> None:
    """Raise UsageError unless what a schema says is a probability, and its null one of these."""
    most(drop)
    if null not in nulls:
        raise unknown("null", str(null), nulls)


def _rate(drop: Drop, level: Level) -> Rate:
    return drop(level) if isinstance(drop, DropRamp) else drop


def _check(p: float) -> float:
    if not 0 <= p <= 1:
        raise UsageError(f"a drop probability lies in [0, 1], got {p}")
    return p


def _checked(p: Rate, coin: Tensor) -> Rate:
    """The probability, one or as many as there are coins."""
    if not isinstance(p, Tensor):
        return _check(p)
    if p.shape not in ((), coin.shape):
        raise UsageError(f"give one drop probability, or one for each of {len(coin)} samples, got {list(p.shape)}")
    for each in p.reshape(-1).tolist():
        _check(each)
    return p.to(coin.device)


def _total(each: Iterable[float]) -> float:
    total = sum(each)
    if total > 1 + 1e-9:  # the rounding of 0.7 + 0.2 + 0.1
        raise UsageError(f"the drop probabilities of a table come to {total:g} together: at most 1 can be")
    return total
