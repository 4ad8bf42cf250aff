"""The steps of a trajectory: what every sampler loops over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..core import Level, Step
from ..errors import UsageError


def walk(levels: Sequence[Level]) -> Iterator[tuple[Step, Level]]:
    """Where the sampler stands and the level it goes to next, for n + 1 levels n times."""
    total = len(levels) - 1
    if total < 1:
        raise UsageError(f"a sampler needs at least 2 levels, from noise to clean, got {len(levels)}")
    return ((Step(at, index, total), to) for index, (at, to) in enumerate(pairwise(levels)))
