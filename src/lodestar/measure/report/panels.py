"""What is drawn, whoever draws it: panels with traces of marks.

FRONTIER  one metric against another, the points of a line joined along the scale
SCALE     a metric against the scale, with w = scale - 1 above; a point without scale is a level
NAMES     a metric of each line, where no point has a scale
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..numbers import HIGHER, LOWER
from .content import COSTS, Column, Content, Row, Value
from .pareto import pareto

Kind = Literal["frontier", "scale", "names"]
# Told apart by the colour-blind on white, and lighter on black; the signs help where there are more lines than colours.
LIGHT = ("#0072b2", "#c44601", "#00795a", "#a8487d", "#8a6a00", "#3a86c8")
DARK = ("#58aee8", "#ff8a4c", "#2fc49a", "#e79bc4", "#e6b422", "#a9d4f5")
SIGNS = ("●", "■", "◆", "▲", "▼", "✖")
SCALE = Column("scale", "scale", "neither", "1: no guidance")
LINE = Column("line", "line", "neither")


@dataclass(frozen=True)
class Mark:
    """One point of a panel."""

    row: int  # its number in the content
    x: Value
    y: Value
    best: bool = False  # of the Pareto set


@dataclass(frozen=True)
class Trace:
    """The points of one line in a panel."""

    line: int  # its number in the content
    name: str
    marks: Sequence[Mark]
    level: bool = False  # without scale: the same at every one
    joined: bool = True  # by a line


@dataclass(frozen=True)
class Panel:
    """One plot."""

    kind: Kind
    x: Column
    y: Column
    traces: Sequence[Trace]
    scales: Sequence[float] = ()  # that occur

    @property
    def title(self) -> str:
        return f"{self.y.name} against {self.x.name}" if self.kind == "frontier" else axis(self.measured)

    @property
    def measured(self) -> Column:
        """What it shows with the names, or the scale."""
        return self.x if self.kind == "names" else self.y

    @property
    def span(self) -> tuple[float, float]:
        """The scales from end to end, with room where there is but one."""
        low, high = min(self.scales), max(self.scales)
        return (low, high) if low < high else (low - 0.5, high + 0.5)


def frontiers(content: Content, pairs: Sequence[tuple[Column, Column]]) -> list[Panel]:
    """A panel of each pair (x, y)."""
    return [Panel("frontier", x, y, list(_weighed(content, x, y))) for x, y in pairs]


def measures(content: Content) -> list[Panel]:
    """A panel of each metric."""
    return [_alone(content, column) for column in content.columns if column.name not in COSTS]


def costs(content: Content) -> list[Panel]:
    """A panel of each cost."""
    return [_alone(content, column) for column in content.columns if column.name in COSTS]


def axis(column: Column, across: bool = False) -> str:
    """What stands at an axis: name, unit, and which way is better."""
    unit = f" ({column.unit})" if column.unit else ""
    side = f" {column.better} is better" if arrow(column) else ""
    return f"{column.name}{unit}  {arrow(column, across)}{side}".rstrip()


def arrow(column: Column, across: bool = False) -> str:
    """The way to what is better, upwards or across."""
    return {HIGHER: "→" if across else "↑", LOWER: "←" if across else "↓"}.get(column.better, "")


def from_zero(column: Column) -> bool:
    """Whether its axis begins at 0: costs are compared by their ratios."""
    return column.name in COSTS


def colour(line: int, palette: Sequence[str] = LIGHT) -> str:
    return palette[line % len(palette)]


def sign(line: int, signs: Sequence[str] = SIGNS) -> str:
    """Another one where a colour comes again."""
    return signs[(line + line // len(LIGHT)) % len(signs)]


def _weighed(content: Content, x: Column, y: Column) -> Iterator[Trace]:
    best = set(pareto(content.rows, x, y))
    for i, name in enumerate(content.lines):
        here = [(k, r) for k, r in _drawn(content, name) if {x.name, y.name} <= set(r.values)]
        if here:
            marks = [Mark(k, r.values[x.name], r.values[y.name], k in best) for k, r in here]
            yield Trace(i, name, marks, joined=not _scattered(here))


def _drawn(content: Content, line: str) -> list[tuple[int, Row]]:
    return [(k, content.rows[k]) for k in content.along(line)]


def _scattered(rows: Sequence[tuple[int, Row]]) -> bool:
    return any(row.scattered for _, row in rows)


def _alone(content: Content, column: Column) -> Panel:
    if not content.scales:
        return Panel("names", column, LINE, list(_by_name(content, column)))
    return Panel("scale", SCALE, column, list(_along(content, column)), content.scales)


def _along(content: Content, column: Column) -> Iterator[Trace]:
    """Along the scale; the points without one each as a level."""
    for i, name in enumerate(content.lines):
        here = [(k, r) for k, r in _drawn(content, name) if column.name in r.values]
        marks = [Mark(k, Value(r.scale), r.values[column.name]) for k, r in here if r.scale is not None]
        if marks:
            yield Trace(i, name, marks, joined=not _scattered(here))
        for k, r in here:
            if r.scale is None:
                yield Trace(i, name, [Mark(k, Value(content.scales[-1]), r.values[column.name])], level=True)


def _by_name(content: Content, column: Column) -> Iterator[Trace]:
    """A row of dots a line, the first on top."""
    lines = content.lines
    for i, name in enumerate(lines):
        here = [(k, r) for k, r in _drawn(content, name) if column.name in r.values]
        if here:
            yield Trace(i, name, [Mark(k, r.values[column.name], Value(len(lines) - 1 - i)) for k, r in here])
