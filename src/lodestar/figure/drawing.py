"""The picture of the mixture: a column for each scale, the targets above and what each sampler draws below."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..oracle import Grid
from ..plotting import pixels
from .mixture import Aim, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DPI = 2.9, 110  # of a panel's side, and of the picture
PIXELS = 160  # of a density, along each axis
CHARACTERS = 42  # of a title above a panel, a line
SHOWN = 1500  # points of each class at most
COLOURS = ((0.84, 0.15, 0.16), (0.12, 0.47, 0.71), (0.17, 0.63, 0.17))  # of the classes
HALF, MOST = 0.5, 0.95  # the shares of the target inside its two lines


def draw(panels: Sequence[Panel], title: str) -> Tensor:
    """uint8 [H, W, 3]: panels in the order of samplers, and of scales in each."""
    from matplotlib.figure import Figure

    rows = [list(row) for _, row in groupby(panels, lambda p: p.sampler)]
    size = (INCHES * len(rows[0]) + 0.4, (INCHES + 0.35) * (1 + len(rows)) + 0.3)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.subplots(1 + len(rows), len(rows[0]), squeeze=False)
    figure.suptitle(title, fontsize=11)
    view = _view(panels)
    for place, panel in zip(axes[0], rows[0], strict=True):
        _target(place, panel.aim, view)
    for line, row in zip(axes[1:], rows, strict=True):
        for place, panel in zip(line, row, strict=True):
            _draws(place, panel, view)
    for line, name in zip(axes, ["tilted target", *(row[0].sampler for row in rows)], strict=True):
        line[0].set_ylabel(name)
    return pixels(figure)


def _target(place: Axes, aim: Aim, view: Grid) -> None:
    """The densities of the classes, each in its colour, as dark as it is high."""
    ink = torch.ones(PIXELS, PIXELS, 3, dtype=torch.float64)
    for density, colour in zip(_densities(aim, view), COLOURS, strict=True):
        ink -= (density / density.max())[..., None] * (1 - torch.tensor(colour, dtype=torch.float64))
    place.imshow(ink.clamp(0, 1).numpy(), origin="lower", extent=_extent(view), interpolation="bilinear")
    w = "" if aim.scale is None else f"   (w = {aim.scale - 1:g})"
    place.set_title(fill(f"{aim.rule}{w}", CHARACTERS), fontsize=10)
    _bare(place, view)


def _draws(place: Axes, panel: Panel, view: Grid) -> None:
    """The samples, under lines around half and most of the target."""
    lines = zip(panel.points, _densities(panel.aim, view), COLOURS, strict=True)
    for points, density, colour in lines:
        x, y = points[:SHOWN].T.numpy()
        place.scatter(x, y, s=1.5, color=colour, alpha=0.35, linewidths=0, rasterized=True)
        place.contour(
            *_axes(view), density.numpy(), _heights(density), colors=[tuple(0.55 * k for k in colour)], linewidths=0.9
        )
    low, high = panel.to_target.interval
    floor = f"exact samples {panel.aim.floor:.3f}"
    place.set_xlabel(f"W1 {panel.to_target.value:.3f} [{low:.3f}, {high:.3f}]\n{floor}", fontsize=8)
    _bare(place, view)


def _densities(aim: Aim, view: Grid) -> list[Tensor]:
    """Of each class [PIXELS, PIXELS], rows along y."""
    return [t.masses(view).reshape(PIXELS, PIXELS).T for t in aim.targets]


def _heights(density: Tensor) -> list[float]:
    """Where to draw the lines, rising."""
    falling = density.flatten().sort(descending=True).values
    inside = falling.cumsum(0) / falling.sum()
    return sorted({float(falling[int((inside < share).sum())]) for share in (MOST, HALF)})


def _view(panels: Sequence[Panel]) -> Grid:
    """One square for all panels, around all but the farthest samples."""
    points = torch.cat([each.flatten(0, 1) for p in panels for each in (p.points, p.aim.points)])
    ends = torch.quantile(points, torch.tensor([0.001, 0.999], dtype=torch.float64), 0)
    middle, half = ends.mean(0), 0.55 * (ends[1] - ends[0]).max()
    return Grid(tuple((middle - half).tolist()), tuple((middle + half).tolist()), PIXELS)


def _extent(view: Grid) -> tuple[float, float, float, float]:
    return view.low[0], view.high[0], view.low[1], view.high[1]


def _axes(view: Grid) -> list[np.ndarray]:
    """The cells' centres along x and y."""
    centres = view.centres().reshape(PIXELS, PIXELS, 2)
    return [centres[:, 0, 0].numpy(), centres[0, :, 1].numpy()]


def _bare(place: Axes, view: Grid) -> None:
    left, right, bottom, top = _extent(view)
    place.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
