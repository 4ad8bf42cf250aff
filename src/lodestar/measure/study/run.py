"""Every point of a study, in one file of points for each model: what is there is not drawn again.

Studies share these files where they share a folder: what one has measured, another finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from ..points import Points
from ..setting import Evaluation, Measures, Setting
from .plan import Plan

Begin: TypeAlias = Callable[[float], tuple[Measures, Mapping[str, Any]]]  # from a drop: the model's bench and protocol
OnPoint: TypeAlias = Callable[[float, Setting], Callable[[int, int], None]]  # one begins: who hears of its samples


def measured(plan: Plan, begin: Begin, folder: Path, on_point: OnPoint | None = None) -> dict[float, list[Evaluation]]:
    """The points of each model by its drop, in the order of the plan; those that are not in `folder` are measured."""
    return {drop: _model(plan, drop, *begin(drop), folder, on_point) for drop in plan.drops}


def path_of(drop: float, folder: Path) -> Path:
    """Where the points of a model are kept."""
    return folder / f"p{drop:g}.jsonl"


def _model(
    plan: Plan, drop: float, bench: Measures, protocol: Mapping[str, Any], folder: Path, on_point: OnPoint | None
) -> list[Evaluation]:
    points = Points.open(path_of(drop, folder), protocol)

    def drawn(setting: Setting, facts: Mapping[str, object]) -> Evaluation:
        hears = {} if on_point is None else {"on_samples": on_point(drop, setting)}
        found = bench(setting, **hears)
        return replace(found, facts={**found.facts, **facts, "drop": drop})

    return [points.get(setting, partial(drawn, setting, facts)) for setting, facts in plan.settings()]
