"""The Pareto set: the points that no other point beats, being at least as good in both metrics and better in one.

By the measured values alone: where intervals overlap, another draw of the samples may give another set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import inf

from ..numbers import LOWER
from .content import Column, Row


def pareto(rows: Sequence[Row], x: Column, y: Column) -> list[int]:
    """Which rows are in it, along x from the best; rows without one of the two are not."""
    gains = {i: (_gain(row, x), _gain(row, y)) for i, row in enumerate(rows) if {x.name, y.name} <= set(row.values)}
    return unbeaten(gains)


def unbeaten(gains: Mapping[int, tuple[float, float]]) -> list[int]:
    """Of pairs of which more is better, both times; equal pairs do not beat each other."""
    kept: list[int] = []
    best = -inf  # second number of all whose first is greater
    falling = sorted(gains, key=lambda i: -gains[i][0])
    for _, group in groupby(falling, lambda i: gains[i][0]):
        alike = list(group)
        top = max(gains[i][1] for i in alike)
        kept += [i for i in alike if gains[i][1] == top > best]
        best = max(best, top)
    return kept


def _gain(row: Row, column: Column) -> float:
    value = row.values[column.name].value
    return -value if column.better == LOWER else value
