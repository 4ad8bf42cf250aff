"""Measuring several sides turn and turn about, so that a machine that slows down slows all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

LEAST = 5  # repetitions that a median is worth reporting of

T = TypeVar("T")


@dataclass(frozen=True)
class Series:
    """One quantity, measured again and again."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)


def interleaved(sides: Mapping[str, Callable[[], T]], repetitions: int, warm_up: int = 1) -> dict[str, list[T]]:
    """What each side gives, A B A B ...; the first `warm_up` rounds do not count."""
    found: dict[str, list[T]] = {name: [] for name in sides}
    for _ in range(warm_up + repetitions):
        for name, measure in sides.items():
            found[name].append(measure())
    return {name: values[warm_up:] for name, values in found.items()}


def series(name: str, unit: str, values: Iterable[float]) -> Series:
    return Series(name, unit, tuple(values))


def ratio(above: Series, below: Series) -> float:
    """Of the medians."""
    return above.median / below.median
