"""Panels as plotly's figures: JSON values, with colours by the names of the page's own, so that both modes have theirs.

plotly takes some HTML in its texts, so that all that comes from files is escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ...errors import UsageError
from .content import Column, Content, Row, Value
from .panels import Mark, Panel, Trace, arrow, axis, from_zero, sign

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "x")  # as panels.SIGNS
DOT, RING = 8, 14  # pixels of a point, and of one of the Pareto set
NAMED = 6  # lines of a frontier at most whose ends have their scale beside them
NEAR = 0.08  # of an axis: ticks stand no nearer to each other
LETTERS = 26  # of a name at an axis
HEIGHTS = {"frontier": 460, "scale": 330}  # pixels
NAMES = (110, 26)  # pixels of a panel of names, and of each

Figure = dict[str, Any]


def script() -> str:
    """All of plotly's JavaScript. Raises UsageError where it is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UsageError("a report needs plotly: pip install 'lodestar-diffusion[report]'") from None
    return str(get_plotlyjs())


def plot(panel: Panel, content: Content) -> Figure:
    """The figure; every point's `customdata` is its row."""
    drawn = [_drawn(panel, trace, content) for trace in panel.traces]
    if panel.kind == "scale":
        drawn.append(_above(panel))
    return {"data": drawn, "layout": _layout(panel, len(content.lines))}


def shown(value: Value) -> str:
    """The number with its interval, where it has one."""
    if value.low is None or value.high is None:
        return f"{value.value:.4g}"
    return f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"


def at(row: Row) -> str:
    """The scale of a point, in both ways of writing it."""
    return "" if row.scale is None else f"scale {row.scale:g} (w {row.w:g})"


# Traces.


def _drawn(panel: Panel, trace: Trace, content: Content) -> Figure:
    ends = (trace.marks[0].row, trace.marks[-1].row) if len(panel.traces) <= NAMED else ()
    named = panel.kind == "frontier" and len(trace.marks) > 1 and trace.joined
    low = panel.span[0] if trace.level else None
    return {
        "type": "scatter",
        "name": escape(trace.name),
        "meta": trace.line,
        "mode": "+".join(_mode(panel, trace) + (["text"] if named and ends else [])),
        "x": [m.x.value for m in trace.marks] + ([low] if trace.level else []),
        "y": [m.y.value for m in trace.marks] * (2 if trace.level else 1),
        "customdata": [m.row for m in trace.marks],
        "text": [_end(content.rows[m.row]) if named and m.row in ends else "" for m in trace.marks],
        "textposition": "top center",
        "textfont": {"color": "var(--faint)", "size": 11},
        "hovertext": [_hover(panel, m, content.rows[m.row]) for m in trace.marks],
        "hoverinfo": "text",
        **_errors(panel, trace),
        **_look(trace),
    }


def _mode(panel: Panel, trace: Trace) -> list[str]:
    return ["lines", "markers"] if panel.kind != "names" and trace.joined else ["markers"]


def _end(row: Row) -> str:
    return "" if row.scale is None else f"{row.scale:g}"


def _look(trace: Trace) -> Figure:
    ink = f"var(--line-{trace.line})"
    sizes = [RING if m.best else DOT for m in trace.marks]
    outline = {"color": "var(--ink)", "width": [2.5 if m.best else 0 for m in trace.marks]}
    marker = {"symbol": sign(trace.line, SYMBOLS), "color": ink, "opacity": 1, "line": outline}
    if trace.level:  # its other end is no point
        sizes, outline["width"] = [*sizes, 0], [0, 0]
    line = {"color": ink, "width": 1.5, "dash": "dot" if trace.level else "solid"}
    return {"line": line, "marker": {**marker, "size": sizes}}


def _errors(panel: Panel, trace: Trace) -> Figure:
    bar = {"type": "data", "symmetric": False, "thickness": 1, "width": 2, "color": f"var(--line-{trace.line})"}
    sides = {"error_x": [m.x for m in trace.marks], "error_y": [m.y for m in trace.marks]}
    return {
        name: {**bar, "array": [_over(v) for v in values], "arrayminus": [_under(v) for v in values]}
        for name, values in sides.items()
        if any(_over(v) or _under(v) for v in values)
    }


def _over(value: Value) -> float:
    return 0 if value.high is None else max(0, value.high - value.value)


def _under(value: Value) -> float:
    return 0 if value.low is None else max(0, value.value - value.low)


def _hover(panel: Panel, mark: Mark, row: Row) -> str:
    columns = [c for c in (panel.x, panel.y) if c.name in row.values]
    told = [escape(row.name), at(row), *(escape(f"{c.name} {shown(row.values[c.name])}") for c in columns)]
    return "<br>".join([line for line in told if line] + ["in the Pareto set"] * mark.best)


def _above(panel: Panel) -> Figure:
    """Nothing, on the axis of w, which is drawn for its sake."""
    ends = list(panel.span)
    empty = {"type": "scatter", "mode": "markers", "marker": {"opacity": 0}, "hoverinfo": "skip", "meta": None}
    return {**empty, "x": ends, "y": [None, None], "xaxis": "x2", "customdata": []}


# Layout.


def _layout(panel: Panel, lines: int) -> Figure:
    clear = "rgba(0,0,0,0)"
    layout: Figure = {
        "paper_bgcolor": clear, "plot_bgcolor": clear, "showlegend": False, "hovermode": "closest",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "var(--ink)"},
        "height": HEIGHTS.get(panel.kind, NAMES[0] + NAMES[1] * lines),
        "margin": {"l": 60, "r": 16, "t": 56 if panel.kind == "scale" else 16, "b": 52},
        "hoverlabel": {"bgcolor": "var(--paper)", "bordercolor": "var(--faint)", "align": "left"},
        "xaxis": _axis(_short_axis(panel.x, True) if panel.kind == "names" else axis(panel.x, True), panel.x),
        "yaxis": _axis(axis(panel.y) if panel.kind == "frontier" else _short_axis(panel.y), panel.y),
    }  # fmt: skip
    if panel.kind == "scale":
        layout |= _scales(panel, layout["xaxis"])
    if panel.kind == "names":
        layout["yaxis"] |= _names(panel, lines)
    return layout


def _short_axis(column: Column, across: bool = False) -> str:
    """Where the whole stands above the panel."""
    return f"{column.name} {arrow(column, across)}"


def _axis(title: str, column: Column) -> Figure:
    lines = {"gridcolor": "var(--grid)", "zeroline": False, "linecolor": "var(--faint)", "showline": True}
    ticks = {"automargin": True, "ticks": "outside", "tickcolor": "var(--faint)"}
    extent = {"rangemode": "tozero" if from_zero(column) else "normal"}
    return {"title": {"text": escape(title), "standoff": 8}, **lines, **ticks, **extent}


def _scales(panel: Panel, below: Figure) -> Figure:
    """The same axis twice: the scale below, w above."""
    low, high = panel.span
    room = 0.04 * (high - low)
    ticks = _thinned(panel.scales, NEAR * (high - low))
    extent = {"range": [low - room, high + room], "tickvals": ticks}
    above = {"overlaying": "x", "side": "top", "matches": "x", "showgrid": False}
    above |= {"ticktext": [f"{scale - 1:g}" for scale in ticks]}
    plain = {"ticktext": [f"{scale:g}" for scale in ticks]}
    return {"xaxis": {**below, **extent, **plain}, "xaxis2": {**_axis("w = scale - 1", panel.x), **extent, **above}}


def _thinned(scales: Sequence[float], apart: float) -> list[float]:
    """Those of the rising scales that have room."""
    kept: list[float] = []
    for scale in scales:
        if not kept or scale - kept[-1] >= apart:
            kept.append(scale)
    return kept


def _names(panel: Panel, lines: int) -> Figure:
    """The lines' names at the left."""
    places = {trace.marks[0].y.value: _short(trace.name) for trace in panel.traces}
    ticks = {"tickvals": list(places), "ticktext": [escape(name) for name in places.values()]}
    return {**ticks, "title": {"text": ""}, "range": [-0.6, lines - 0.4]}


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
