"""Measured settings as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..measure.features import Detector
    from ..measure.numbers import Number
    from ..measure.setting import Evaluation

MAIN = (
    "FD", "prompt accuracy", "edit accuracy", "untouched", "class accuracy", "precision", "recall", "diversity",
    "saturation",
)  # fmt: skip


def measured(found: Sequence[Evaluation]) -> list[str]:
    """The main metrics that all of these have."""
    return [name for name in MAIN if all(name in each.numbers for each in found)]


def heads(metrics: Sequence[str], seen: Detector) -> list[str]:
    from ..measure.numbers import called

    return [f"{called(name, seen)} \u00b1" for name in metrics]


def cell(number: Number) -> str:
    """The value, and half of its 95 % interval."""
    half = (number.high - number.low) / 2
    return f"{number.value:.3g}" if half != half else f"{number.value:.4g} {half:.2g}"


def scale_cells(facts: Mapping[str, Any]) -> list[str]:
    """Scale and w."""
    return ["-" if facts.get(name) is None else f"{facts[name]:g}" for name in ("scale", "w")]


def bounds_cell(facts: Mapping[str, Any]) -> str:
    lo, hi = facts.get("interval") or (None, None)
    return "-" if lo is None else f"{lo:g}:{'' if hi is None else f'{hi:g}'}"


def difference_cell(metric: str, difference: Number) -> str:
    """What is apart, half of its 95 % interval, and what that says."""
    from ..measure.paired import verdict

    return f"{difference.value:+.3g} {(difference.high - difference.low) / 2:.2g} {verdict(metric, difference)}"
