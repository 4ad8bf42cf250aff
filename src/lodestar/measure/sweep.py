"""The trade-off in one file: rules x scales x intervals x steps, every point with the same prompts and noise.

Points whose settings are equal are one: a rule that is neutral at its scale is the same inside and outside of every
interval. Each has facts for whoever draws it: the rule's name at any scale, the scale, the paper's w = scale - 1, the
interval as [lo, hi], hi None where it has no end, and the file with its first pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from itertools import product
from math import inf, isfinite
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..errors import UsageError
from ..files import write_file
from ..guidance import Interval, Rule, parse
from ..pictures import png, strip
from .points import Points
from .scales import at_scale, family, scale_of
from .setting import Evaluation, Measures, Setting

SCALES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of cfg, where nobody says any
SHOWN = 8  # pictures of a point in its strip
SIDE = 64  # pixels, at least, of each of them

Bounds: TypeAlias = tuple[float, float]  # lo and hi, sigma/alpha
OnPoint: TypeAlias = Callable[["Point"], Callable[[int, int], None]]  # a point begins: who hears of its samples


@dataclass(frozen=True)
class Point:
    """One setting of a sweep, and what a plot of it has to know."""

    setting: Setting
    facts: Mapping[str, Any]


def grid(
    rules: Sequence[str],
    scales: Sequence[float] | None,
    intervals: Sequence[Bounds | None],
    steps: Sequence[int],
    *,
    sampler: str | None = None,
    levels: str | None = None,
) -> list[Point]:
    """Every setting once, in this order: steps, rules, intervals, scales. No scales: each rule as it is written.

    Raises UsageError for what is no rule, for scales of a rule that has none, and for what is empty.
    """
    for name, values in {"guidance": rules, "scales": scales, "intervals": intervals, "steps": steps}.items():
        if values is not None and not values:
            raise UsageError(f"--{name} is empty: give at least one")
    found: dict[str, Point] = {}
    for count, text, bounds, scale in product(steps, rules, intervals, scales or (None,)):
        rule = parse(text) if scale is None else at_scale(text, scale)
        point = _point(rule, bounds, Setting(None, sampler, count, levels))
        found.setdefault(point.setting.key, point)
    return list(found.values())


def interval(text: str) -> Bounds | None:
    """The bounds in `lo:hi`, either of which may be left out; None for `none`. Raises UsageError for anything else."""
    if text.strip().lower() == "none":
        return None
    try:
        lo, hi = text.split(":")
        return float(lo or 0), float(hi or inf)
    except ValueError:
        raise UsageError(f"an interval is two noise levels lo:hi, such as 0.2:3, or none, got '{text}'") from None


def sweep(
    bench: Measures, plan: Sequence[Point], points: Points, on_point: OnPoint | None = None, first: First | None = None
) -> list[Evaluation]:
    """Measure what is not in the file of points yet; the evaluations of the plan, in its order.

    With `first`, which hears of the bench's pictures, those of each point are kept in a folder beside the file.
    """
    return [points.get(p.setting, partial(_measured, bench, p, points.path, on_point, first)) for p in plan]


def _measured(bench: Measures, point: Point, path: Path, on_point: OnPoint | None, first: First | None) -> Evaluation:
    if first is not None:
        first.images.clear()
    found = bench(point.setting, **({} if on_point is None else {"on_samples": on_point(point)}))
    shown = {} if first is None else {"strip": first.save(path, point.setting)}
    return replace(found, facts={**found.facts, **point.facts, **shown})


@dataclass
class First:
    """Hears of pictures uint8 [B, H, W, C] as they are drawn, and keeps the first SHOWN."""

    images: list[Tensor] = field(default_factory=list)

    def __call__(self, images: Tensor) -> None:
        if left := SHOWN - sum(map(len, self.images)):
            self.images.append(images[:left].cpu())

    def save(self, path: Path, setting: Setting) -> str:
        """Beside this file of points; what the file calls it."""
        name = f"{path.stem}.strips/{sha256(setting.key.encode()).hexdigest()[:16]}.png"
        drawn = strip([torch.cat(self.images)], columns=SHOWN, side=SIDE)
        write_file(path.parent / name, png(drawn, {k: v for k, v in asdict(setting).items() if v is not None}))
        return name


def _point(rule: Rule, bounds: Bounds | None, plain: Setting) -> Point:
    inside = bounds is not None and not neutral(rule)
    used = Interval(rule, *bounds) if inside else rule  # type: ignore[misc]
    return Point(replace(plain, guidance=str(used)), facts(rule, bounds if inside else None))


def facts(rule: Rule, bounds: Bounds | None = None) -> dict[str, Any]:
    """What a plot has to know of a rule, which acts between these bounds: JSON values."""
    scale = scale_of(rule)
    ends = None if bounds is None else [end if isfinite(end) else None for end in bounds]
    return {"rule": family(rule), "scale": scale, "w": None if scale is None else scale - 1, "interval": ends}


def neutral(rule: Rule) -> bool:
    """Whether its own fields say that it does nothing, so that it is its base."""
    says: Mapping[str, Any] = getattr(rule, "neutral", {})
    exempt = "neutral_is_the_base_exactly" in getattr(rule, "exempt", {})
    return bool(says) and not exempt and all(getattr(rule, name) == value for name, value in says.items())
