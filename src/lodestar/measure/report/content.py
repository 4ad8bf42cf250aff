"""What files of points say, brought together: rows, a point each, in lines along the scale, under columns.

A column is a metric as it was seen by one detector, or a cost; points without it are not in what is drawn of it. A line
is one rule; points that differ in their sampler, steps, grid, samples or file are of several lines. No guidance is the
same inside and outside of every interval, so that it is measured once, and begins all lines of its rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ...errors import UsageError
from ..features import Detector
from ..numbers import LOWER, METRICS, NEITHER, SHARES, About, called, plain
from ..points import FREE, Points
from ..protocol import cautions
from ..setting import Evaluation

SHARE = "0 to 1"
NEUTRAL = 1.0  # a scale
UNITS = dict.fromkeys(("precision", "recall", "coverage", "copying", *SHARES), SHARE)
COSTS = {  # what a picture costs
    "evaluations": "network rows a picture",
    "backwards": "rows back through a network a picture",
    "gradients": "calls of other functions a picture",
    "seconds": "s a picture, of sampling",
}
APART = ("sampler", "steps", "grid")  # of a setting: another one is another line
FIDELITY = (
    ("FD", "KD", "MIND"),
    ("precision", "prompt accuracy", "edit accuracy", "class accuracy"),
)  # the first that is there of each
DIVERSITY = (("recall", "coverage", "diversity"),)


@dataclass(frozen=True)
class Column:
    """What all numbers under one head are."""

    name: str  # with that of the detector: FD-scenes
    metric: str  # without it; of a cost its own name
    better: str  # the side
    unit: str = ""


@dataclass(frozen=True)
class Value:
    """A number, with its 95 % interval where it is known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """One point."""

    line: str
    whole: str  # the line of the same rule without an interval
    rule: str
    scale: float | None
    interval: tuple[float, float] | None
    values: Mapping[str, Value]  # by the column's name
    strip: Path | None  # a picture of its samples; it need not be there
    source: Path  # the file it is from
    evaluation: Evaluation

    @property
    def scattered(self) -> bool:
        """Whether the points of its line differ in more than their scale, so that nothing joins them."""
        return bool(self.evaluation.facts.get("scattered"))

    @property
    def name(self) -> str:
        """Its line, or what tells it from the others where its line does not."""
        return str(self.evaluation.setting.guidance) if self.scattered else self.line

    @property
    def w(self) -> float | None:
        """The CFG paper's own strength."""
        return None if self.scale is None else self.scale - 1


@dataclass(frozen=True)
class Content:
    """Everything there is to report."""

    rows: Sequence[Row]  # line by line, and along the scale in each
    columns: Sequence[Column]
    files: Mapping[Path, Mapping[str, Any]]  # the protocols

    @property
    def lines(self) -> list[str]:
        return list(dict.fromkeys(row.line for row in self.rows))

    @property
    def scales(self) -> list[float]:
        """Those that occur, rising."""
        return sorted({row.scale for row in self.rows if row.scale is not None})

    def along(self, line: str) -> list[int]:
        """The rows that are drawn of a line, along the scale."""
        own = [i for i, row in enumerate(self.rows) if row.line == line]
        first = self.rows[own[0]]
        if first.line == first.whole or any(self.rows[i].scale == NEUTRAL for i in own):
            return own
        return [i for i, row in enumerate(self.rows) if row.line == first.whole and row.scale == NEUTRAL] + own

    def column(self, name: str) -> Column:
        """The column that is meant by a name, with or without its detector's. Raises UsageError if it is not here."""
        exact = [c for c in self.columns if c.name.lower() == name.lower()]
        found = exact or [c for c in self.columns if name not in COSTS and c.metric == plain(name)]
        if not found:
            raise UsageError(f"'{name}' was not measured: there are {', '.join(c.name for c in self.columns)}")
        return found[0]

    def pairs(self, fidelity: Sequence[str] = (), diversity: Sequence[str] = ()) -> list[tuple[Column, Column]]:
        """(diversity, fidelity): what is weighed against what; by default what there is of FIDELITY and DIVERSITY.

        Raises UsageError for what was not measured, and for metrics of which neither side is better.
        """
        across = [self.column(name) for name in diversity] or self._first(DIVERSITY)
        up = [self.column(name) for name in fidelity] or self._first(FIDELITY)
        for column in (*across, *up):
            if column.better == NEITHER:
                raise UsageError(f"neither more nor less {column.name} is better: choose another metric")
        return [
            (x, y) for y in up for x in across if x != y and any({x.name, y.name} <= {*r.values} for r in self.rows)
        ]

    def _first(self, several: Sequence[Sequence[str]]) -> list[Column]:
        """The columns of the first metric that is there, of each group."""
        here = {c.metric for c in self.columns}
        metrics = [next((m for m in group if m in here), None) for group in several]
        return [c for metric in metrics for c in self.columns if c.metric == metric]

    def cautions(self) -> list[str]:
        """What would mislead in these numbers, each once."""
        told = [line for protocol in self.files.values() for line in _cautions(protocol)]
        return list(dict.fromkeys([*_otherwise(list(self.files.values())), *told]))


def content(paths: Sequence[Path]) -> Content:
    """What is in these files. Raises UsageError where one is no file of points, and where there are none in any."""
    files = [Points.read(path) for path in paths]
    if not any(len(points) for points in files):
        raise UsageError(f"there are no points yet in {', '.join(map(str, paths))}: measure some, with lodestar sweep")
    found = [(points, evaluation) for points in files for evaluation in points]
    apart = _apart(found)
    rows = [_row(points, evaluation, apart, len(files) > 1) for points, evaluation in found]
    order = {line: i for i, line in enumerate(dict.fromkeys(row.line for row in rows))}
    rows.sort(key=lambda row: (order[row.line], inf if row.scale is None else row.scale))
    return Content(rows, list(_columns(files)), {points.path: points.protocol for points in files})


def number(value: object) -> float | None:
    """A finite number, or None for anything else that a file may hold."""
    there = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(cast(float, value)) if there else None


# Rows.


def _row(points: Points, evaluation: Evaluation, apart: Sequence[str], several: bool) -> Row:
    facts = evaluation.facts
    rule = str(facts.get("compared") or facts.get("rule") or evaluation.setting.guidance or "default")
    interval = _interval(facts)
    told = [f"{name} {value}" for name, value in _settled(evaluation).items() if name in apart and value is not None]
    told += [points.path.stem] if several else []
    acts = interval and "lo=" not in rule and not facts.get("scattered")
    whole = ", ".join([rule, *told])
    line = ", ".join([rule, f"interval {interval[0]:g} to {interval[1]:g}", *told]) if interval and acts else whole
    values = dict(_values(points, evaluation))
    strip = _strip(points.path, facts.get("strip"))
    return Row(line, whole, rule, number(facts.get("scale")), interval, values, strip, points.path, evaluation)


def _settled(evaluation: Evaluation) -> dict[str, object]:
    return {**{name: getattr(evaluation.setting, name) for name in APART}, "samples": evaluation.samples}


def _apart(found: Sequence[tuple[Points, Evaluation]]) -> list[str]:
    """In what else than their rule some of these points differ."""
    settled = [_settled(evaluation) for _, evaluation in found]
    return [name for name in settled[0] if len({str(each[name]) for each in settled}) > 1]


def _interval(facts: Mapping[str, Any]) -> tuple[float, float] | None:
    """Of noise levels, sigma/alpha; an end that is null is open."""
    found = facts.get("interval")
    if not isinstance(found, list | tuple) or len(found) != 2:
        return None
    lo, hi = (number(end) if end is not None else open for end, open in zip(found, (0.0, inf), strict=True))
    return None if lo is None or hi is None else (lo, hi)


def _strip(path: Path, told: object) -> Path | None:
    """Where the picture is: in the folder of the file of points, or nowhere."""
    if not isinstance(told, str) or not told:
        return None
    found = path.parent / told
    return found if found.resolve().is_relative_to(path.parent.resolve()) else None


def _values(points: Points, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
    for metric, found in evaluation.numbers.items():
        value = number(found.value)
        if value is not None:
            yield _called(metric, points.protocol), Value(value, number(found.low), number(found.high))
    for name in COSTS:
        value = number(getattr(evaluation, name))
        if value is not None:
            yield name, Value(value / max(1, evaluation.samples) if name == "seconds" else value)


# Columns.


def _columns(files: Sequence[Points]) -> Iterator[Column]:
    """Those with any number under them: metrics in their own order, then costs."""
    measured = {(m, _called(m, p.protocol)): None for p in files for e in p for m, v in e.numbers.items() if _known(v)}
    order = list(METRICS)
    for metric, name in sorted(measured, key=lambda told: order.index(told[0]) if told[0] in order else len(order)):
        about = METRICS.get(metric, About(NEITHER, False))
        yield Column(name, metric, about.better, UNITS.get(metric, ""))
    for name, unit in COSTS.items():
        if any(number(getattr(e, name)) for p in files for e in p):
            yield Column(name, name, LOWER, unit)


def _known(value: Any) -> bool:
    return number(value.value) is not None


def _called(metric: str, protocol: Mapping[str, Any]) -> str:
    detector = _detector(protocol)
    return called(metric, detector) if detector and metric in METRICS else metric


def _detector(protocol: Mapping[str, Any]) -> Detector | None:
    """What a protocol tells of who looked: all of a detector but that it can look."""
    told = protocol.get("detector")
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str) or number(told.get("dim")) is None:
        return None
    return cast(Detector, SimpleNamespace(**told))


# Protocols.


def _cautions(protocol: Mapping[str, Any]) -> Iterator[str]:
    detector, samples = _detector(protocol), protocol.get("samples")
    if detector is not None and isinstance(samples, int):
        yield from cautions(samples, detector, None)


def _otherwise(protocols: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the files do not agree in, but for the model and the versions."""
    names = dict.fromkeys(name for protocol in protocols for name in protocol if name not in {"model", *FREE})
    other = [n for n in names if len({json.dumps(p.get(n), sort_keys=True) for p in protocols}) > 1]
    if other:
        yield f"the files were measured otherwise ({', '.join(other)}): compare numbers within a file only"
