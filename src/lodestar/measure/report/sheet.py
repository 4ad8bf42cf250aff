"""All numbers as CSV: a row a point, an empty cell where something is not known."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

from .content import COSTS, Column, Content, Row, number
from .pareto import pareto

SETTING = ("guidance", "sampler", "steps", "grid")


def sheet(content: Content, pairs: Sequence[tuple[Column, Column]]) -> bytes:
    """The file; of each pair (x, y), whether the point is in its Pareto set."""
    metrics = [c for c in content.columns if c.name not in COSTS]
    best = {f"pareto {y.name}/{x.name}": set(pareto(content.rows, x, y)) for x, y in pairs}
    heads = ["file", "line", "rule", "scale", "w", "interval_lo", "interval_hi", *SETTING, "samples"]
    heads += [head for c in metrics for head in (c.name, f"{c.name} low", f"{c.name} high", f"{c.name} error")]
    heads += ["evaluations", "backwards", "gradients", "seconds", "looking", *best, "strip"]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, heads))
    for i, row in enumerate(content.rows):
        sets = [int(i in found) for found in best.values()]
        cells = [*_known(row), *(cell for c in metrics for cell in _measured(row, c)), *_cost(row), *sets, row.strip]
        writer.writerow(map(_cell, cells))
    return text.getvalue().encode()


def _known(row: Row) -> list[object]:
    lo, hi = row.interval or (None, None)
    setting = [getattr(row.evaluation.setting, name) for name in SETTING]
    return [row.source, row.line, row.rule, row.scale, row.w, lo, hi, *setting, row.evaluation.samples]


def _measured(row: Row, column: Column) -> list[object]:
    if column.name not in row.values:
        return [None] * 4
    found = row.values[column.name]
    kept = row.evaluation.numbers[column.metric]
    error = kept.error if all(number(split) is not None for split in kept.splits) else None
    return [found.value, found.low, found.high, number(error)]


def _cost(row: Row) -> list[object]:
    """Of a picture; the seconds of sampling, and of all else, are of all pictures."""
    return [getattr(row.evaluation, name) for name in ("evaluations", "backwards", "gradients", "seconds", "looking")]


def _cell(value: object) -> object:
    """The value; a text that a spreadsheet would compute begins with a quote."""
    text = value if value is None or isinstance(value, int | float) else str(value)
    return f"'{text}" if isinstance(text, str) and text[:1] in tuple("=+-@\t\r") else text
