"""A share of samples that are right, with its interval, and what is asked of a model whose samples are judged."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Protocol

from ..request import Guidance, Prompts, Seed
from ..result import Result
from ..samplers import Sampler

Z = 1.959964  # normal quantile of a two-sided 95 % interval


class Samplable(Protocol):
    """All that is asked of a model."""

    def sample(
        self,
        prompts: Prompts,
        *,
        n: int,
        guidance: Guidance | None,
        sampler: Sampler | str | None,
        steps: int | None,
        seed: Seed,
        batch: int | None,
    ) -> Result: ...


@dataclass(frozen=True)
class Share:
    """Right of n."""

    right: int
    n: int

    @property
    def share(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, for independent samples."""
        return wilson(self.right, self.n)


def wilson(right: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share, right of n: Wilson 1927, JASA 22(158), pages 209-212."""
    p, zz = right / n, Z * Z / n
    middle = (p + zz / 2) / (1 + zz)
    half = Z * sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    return max(middle - half, 0.0), min(middle + half, 1.0)
