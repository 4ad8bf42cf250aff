"""The curves of a study with error bars: distance, fidelity, diversity and colours against w or T; the frontier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ...plotting import pixels
from ..setting import Evaluation
from .claims import DISTANCE
from .page import Called
from .plan import Plan
from .verdicts import DIVERSITY, measured, score_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DPI = (4.2, 3.2), 110  # of a panel, and of the picture
COLUMNS = 3  # panels side by side
W, T = "w", "T"
LINEAR = 0.1  # w up to which its axis is linear; above it is logarithmic


@dataclass(frozen=True)
class Line:
    label: str
    points: Sequence[Evaluation]


def draw(plan: Plan, found: Mapping[float, Sequence[Evaluation]], called: Called = str) -> Tensor:
    """uint8 [H, W, 3]: the panels of a study."""
    from matplotlib.figure import Figure

    lines = _lines(plan, found)
    panels = _panels(plan, lines)
    across, down = min(COLUMNS, len(panels)), -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(INCHES[0] * across, INCHES[1] * down), dpi=DPI, layout="constrained")
    for i, (x, y) in enumerate(panels, 1):
        _panel(figure.add_subplot(down, across, i), lines, x, y, called)
    return pixels(figure)


def _lines(plan: Plan, found: Mapping[float, Sequence[Evaluation]]) -> list[Line]:
    """A line for each model; in the study of steps one for each w."""
    if plan.study != "steps":
        return [Line(f"dropped {drop:g}", points) for drop, points in found.items()]
    [points] = found.values()
    every = dict.fromkeys(point.facts["w"] for point in points)
    return [Line(f"w {w:g}", [point for point in points if point.facts["w"] == w]) for w in every]


def _panels(plan: Plan, lines: Sequence[Line]) -> list[tuple[str, str]]:
    """What is drawn against what."""
    points = [point for line in lines for point in line.points]
    score, x = score_of(points), T if plan.study == "steps" else W
    panels = [(x, DISTANCE), (x, score)]
    if plan.study != "steps":
        panels.append((score, DISTANCE))
    if plan.study == "strength":
        panels += [(x, name) for name in measured([*DIVERSITY[:1], "saturation"], points)]
    return panels


def _panel(place: Axes, lines: Sequence[Line], x: str, y: str, called: Called) -> None:
    for line in lines:
        numbers = [point[y] for point in line.points]
        value = np.array([number.value for number in numbers])
        ends = np.array([[n.value - n.low, n.high - n.value] for n in numbers]).T
        at = [_at(point, x) for point in line.points]
        place.errorbar(at, value, np.nan_to_num(ends).clip(0), marker="o", markersize=4, capsize=2, label=line.label)
    place.set(xlabel=x if x in (W, T) else called(x), ylabel=called(y))
    place.grid(alpha=0.3)
    _scaled(place, lines, x)
    place.legend(fontsize=8)


def _at(point: Evaluation, x: str) -> float:
    if x == W:
        return float(point.facts["w"])
    return float(point.setting.steps or 0) if x == T else point[x].value


def _scaled(place: Axes, lines: Sequence[Line], x: str) -> None:
    """The axis of w or T with a mark where something was measured."""
    if x not in (W, T):
        return
    marks = sorted({_at(point, x) for line in lines for point in line.points})
    if x == W:
        place.set_xscale("symlog", linthresh=LINEAR)
    else:
        place.set_xscale("log", base=2)
    place.set_xticks(marks, [f"{mark:g}" for mark in marks])
    place.minorticks_off()
