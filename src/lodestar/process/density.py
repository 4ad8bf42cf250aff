"""Training densities: at which levels a network is trained, and how often. Each is one in noise level or in u."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..core import Process
from ..errors import UsageError


class Density(Protocol):
    def sample(self, n: int, process: Process, generator: torch.Generator) -> Tensor:
        """u [n] of the process in [0, 1], float64, on the generator's device."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every u as often. The CFG paper's choice (arXiv:2207.12598, Alg. 1)."""

    def sample(self, n: int, process: Process, generator: torch.Generator) -> Tensor:
        return torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device)


@dataclass(frozen=True)
class LogitNormal:
    """logit u is normal: more of the middle, little of the ends. Esser et al. 2024, arXiv:2403.03206, eq. 19.

    With the defaults one u in 58,000 is below 1/64, and a network that never saw a level answers anything there: for
    samplers of many steps draw a share of the levels evenly.
    """

    mean: float = 0.0  # of logit u; above 0 leans to noise
    std: float = 1.0
    even: float = 0.0  # share of the levels that are uniform instead

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.std < math.inf and 0 <= self.even <= 1):
            raise UsageError(f"logit-normal needs a finite mean, a std above 0 and a share from 0 to 1, got {self}")

    def sample(self, n: int, process: Process, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, generator=generator, dtype=torch.float64, device=generator.device)
        u = torch.sigmoid(self.mean + self.std * z)
        if not self.even:
            return u
        coin, evenly = torch.rand(2, n, generator=generator, dtype=torch.float64, device=generator.device)
        return torch.where(coin < self.even, evenly, u)


@dataclass(frozen=True)
class LogNormal:
    """log(sigma / alpha) is normal. Karras et al. 2022, arXiv:2206.00364, Table 1; the defaults are the paper's.

    What falls beyond the ends of a process is trained at its ends.
    """

    mean: float = -1.2  # of log(sigma / alpha)
    std: float = 1.2

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.std < math.inf):
            raise UsageError(f"log-normal needs a finite mean and a std above 0, got {self.mean} and {self.std}")

    def sample(self, n: int, process: Process, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, generator=generator, dtype=torch.float64, device=generator.device)
        return process.u_of(-2 * (self.mean + self.std * z)).clamp(0, 1)


DENSITIES: dict[str, type] = {cls.__name__: cls for cls in (Uniform, LogitNormal, LogNormal)}
