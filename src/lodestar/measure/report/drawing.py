"""Panels as a PNG, by matplotlib: as on the page, and on white."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ...pictures import KEY
from .content import Value
from .panels import Panel, Trace, axis, colour, from_zero, sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v", "X")  # as panels.SIGNS
COLUMNS = 3  # of panels
SIZE = (4.6, 3.5)  # inches of a panel
DPI = 130
LISTED = 40  # lines in the legend at most: more than there are rules
LETTERS = 60  # of a line's name
INK, FAINT = "#1c1e21", "#d5d8dc"


def draw(panels: Sequence[Panel], lines: Sequence[str], title: str, recipe: Mapping[str, object]) -> bytes:
    """The PNG's content: the panels in rows, the legend below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = min(COLUMNS, max(1, len(panels)))
    down = -(-max(1, len(panels)) // across)
    listed = min(len(lines), LISTED + 1)
    figure = Figure(figsize=(SIZE[0] * across, SIZE[1] * down + 0.5 + 0.2 * listed), dpi=DPI, layout="constrained")
    figure.suptitle(_plain(title), fontsize=11, color=INK)
    places = list(figure.subplots(down, across, squeeze=False).flat)
    for place, panel in zip(places, panels, strict=False):
        _panel(place, panel, lines)
    for place in places[len(panels) :]:
        place.set_axis_off()
    _legend(figure, lines)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={KEY: json.dumps(recipe)})
    return buffer.getvalue()


def _panel(place: Axes, panel: Panel, lines: Sequence[str]) -> None:
    for trace in panel.traces:
        _trace(place, panel, trace)
    place.set_xlabel(_plain(axis(panel.x, across=True)), fontsize=9)
    place.set_ylabel(_plain(axis(panel.y).replace("  ", "\n")) if panel.kind != "names" else "", fontsize=9)
    place.grid(color=FAINT, linewidth=0.6)
    place.set_axisbelow(True)
    place.tick_params(labelsize=8, color=FAINT)
    place.spines[:].set_color(FAINT)
    if from_zero(panel.y):
        place.set_ylim(bottom=0)
    if from_zero(panel.x):
        place.set_xlim(left=0)
    if panel.kind == "scale":
        _above(place, panel)
    if panel.kind == "names":
        place.set_yticks(range(len(lines)), [_plain(name)[:30] for name in reversed(lines)])


def _trace(place: Axes, panel: Panel, trace: Trace) -> None:
    ink, marker = colour(trace.line), sign(trace.line, MARKERS)
    x, y = [[v.value for v in side] for side in _sides(trace)]
    if trace.level:
        place.axhline(y[0], color=ink, linestyle=":", linewidth=1.3)
    across, up = map(_error, _sides(trace))
    style: dict[str, Any] = {"color": ink, "marker": marker, "markersize": 4.5, "elinewidth": 0.9, "capsize": 1.5}
    place.errorbar(
        x,
        y,
        linewidth=1.3,
        linestyle="-" if trace.joined and panel.kind != "names" else "none",
        xerr=across,
        yerr=up,
        **style,
    )
    best = [m for m in trace.marks if m.best]
    ring: dict[str, Any] = {"s": 70, "facecolors": "none", "edgecolors": INK, "linewidths": 1.4, "zorder": 4}
    place.scatter([m.x.value for m in best], [m.y.value for m in best], **ring)


def _sides(trace: Trace) -> tuple[list[Value], list[Value]]:
    return [m.x for m in trace.marks], [m.y for m in trace.marks]


def _error(values: Sequence[Value]) -> list[list[float]] | None:
    if all(v.low is None or v.high is None for v in values):
        return None
    under = [0 if v.low is None else max(0, v.value - v.low) for v in values]
    return [under, [0 if v.high is None else max(0, v.high - v.value) for v in values]]


def _above(place: Axes, panel: Panel) -> None:
    """The paper's w as a second axis."""
    low, high = panel.span
    room = 0.04 * (high - low)
    place.set_xlim(low - room, high + room)
    above = place.secondary_xaxis("top", functions=(_w, _scale))
    above.set_xlabel("w = scale - 1", fontsize=9)
    above.tick_params(labelsize=8, color=FAINT)
    above.spines[:].set_color(FAINT)


def _w(scale: Any) -> Any:
    return scale - 1


def _scale(w: Any) -> Any:
    return w + 1


def _legend(figure: Figure, lines: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], color=colour(i), marker=sign(i, MARKERS), label=_plain(name)[:LETTERS])
        for i, name in enumerate(lines[:LISTED])
    ]
    if len(lines) > LISTED:
        keys.append(Line2D([], [], linestyle="none", label=f"and {len(lines) - LISTED} more"))
    figure.legend(handles=keys, loc="outside lower center", ncols=2 if len(keys) > 1 else 1, fontsize=8, frameon=False)


def _plain(text: str) -> str:
    """The text as it is: matplotlib takes what stands between dollars for mathematics."""
    return text.replace("$", r"\$")
