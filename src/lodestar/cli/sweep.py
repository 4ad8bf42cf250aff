"""`lodestar sweep`: the trade-off of fidelity and diversity, every point with the same prompts and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ..errors import UsageError
from . import show
from .cells import bounds_cell, cell, difference_cell, heads, measured, scale_cells
from .config import to_json
from .going import going
from .measuring import Measuring

if TYPE_CHECKING:
    from ..measure.bench import Bench
    from ..measure.features import Detector
    from ..measure.setting import Evaluation
    from ..measure.sweep import First, Point
    from ..request import Defaults
    from .sample import Sample

Rules = Annotated[tuple[str, ...], arg(metavar="RULE ...")]
Scales = Annotated[tuple[float, ...] | None, arg(metavar="FLOAT ...")]
Intervals = Annotated[tuple[str, ...], arg(metavar="LO:HI|none ...")]
Steps = Annotated[
    tuple[int, ...] | None,
    arg(metavar="INT ...", help="of the sampler, one or several; by default the model's own"),
]


@dataclass(frozen=True, kw_only=True)
class Sweep(Measuring):
    """Measure rules at many scales, intervals and numbers of steps, with the same prompts and noise.

    Every point is a line of --out, and is there for good once it is measured: the same command goes on after a kill,
    and one with other scales adds to the file.
    """

    guidance: Rules = ("cfg",)  # rules, each as "rescale(cfg, phi=.5)"
    scales: Scales = None  # put into each rule; by default the rules as they are written, and of cfg 1 1.5 2 3 4 6
    intervals: Intervals = ("none",)  # of noise levels sigma/alpha in which the rules act, as 0.2:3; none: everywhere
    steps: Steps = None  # type: ignore[assignment]  # of every other command it is one
    out: Path = Path("sweep.jsonl")  # the points
    strips: bool = True  # keep the first pictures of each point in a folder beside --out
    against: str | None = None  # a rule of the sweep, as "cfg(3)": the differences of all others to it, in pairs

    def run(self) -> dict[str, object]:
        from ..measure.points import Points
        from ..measure.sweep import First

        self._check_out()
        self._plan()
        begun = self.begun()
        first, plan = First() if self.strips else None, self._plan(begun.bench.model.defaults)  # type: ignore[attr-defined]
        points, bench = Points.open(self.out, begun.protocol), replace(begun.bench, on_images=first)
        begun.caution()
        found = _swept(bench, plan, points, first)
        _table(found, bench.detector)
        told = {} if self.against is None else self._against(found, bench.detector)
        print(f"points: {self.out}, {len(points)} of them")
        return {"config": to_json(self), "protocol": begun.protocol, "points": [e.to_json() for e in found], **told}

    def resolved(self) -> Sweep:
        self._plan()
        self.check()
        chosen = self._chosen(self.sampling()._load().defaults)
        scales = self.scales if self.scales is not None else self._scales()
        return replace(self, scales=scales, steps=self._counts(chosen), sampler=chosen.sampler, grid=chosen.grid)

    def sampling(self) -> Sample:
        return replace(super().sampling(), steps=None, guidance=None)

    def _check_out(self) -> None:
        """Raise UsageError where the points could not be kept."""
        if self.json is not None and self.json.absolute() == self.out.absolute():
            raise UsageError(f"--json {self.json} is where the points go: give another file")
        show.check_file(self.out)

    def _plan(self, defaults: Defaults | None = None) -> list[Point]:
        """All points. Raises UsageError for what cannot be one."""
        from ..measure.sweep import grid, interval
        from ..request import Defaults

        chosen = self._chosen(defaults or Defaults())
        intervals = [interval(text) for text in self.intervals]
        plan = grid(
            self.guidance, self._scales(), intervals, self._counts(chosen), sampler=chosen.sampler, levels=chosen.grid
        )
        if self.against is not None:
            _bases([point.setting.guidance for point in plan], self.against)
        return plan

    def _scales(self) -> tuple[float, ...] | None:
        from ..measure.sweep import SCALES

        return SCALES if self.scales is None and self.guidance == ("cfg",) else self.scales

    def _counts(self, chosen: Defaults) -> tuple[int, ...]:
        return (chosen.steps,) if self.steps is None else self.steps

    def _chosen(self, defaults: Defaults) -> Defaults:
        """How the model is sampled but for the rule, and for the steps where several are asked."""
        from ..request import whole

        for count in self.steps or ():
            whole("steps", count)
        given = {name: value for name in ("sampler", "grid") if (value := getattr(self, name)) is not None}
        return replace(defaults, **given)

    def _against(self, found: Sequence[Evaluation], seen: Detector) -> dict[str, Any]:
        """What is apart, in a table and as JSON values."""
        from ..measure.paired import differences

        assert self.against is not None
        bases = [e for e in found if e.setting.guidance in _bases([e.setting.guidance for e in found], self.against)]
        apart = [(e, differences(e, _like(e, bases))) for e in found if e not in bases]
        metrics = measured(found)
        named, texts = _told_apart(found)
        rows = [[*named(e), *(difference_cell(name, d[name]) for name in metrics)] for e, d in apart]
        print(f"\napart from {self.against}, in pairs of the same seeds, and half of the 95 % interval:\n")
        show.table([*texts, *heads(metrics, seen)], rows, right=[h for h in texts if h != "rule"])
        told = [{"key": e.setting.key, **{k: v.to_json() for k, v in d.items()}} for e, d in apart]
        return {"against": self.against, "apart": told}


def _swept(bench: Bench, plan: Sequence[Point], points: Any, first: First | None) -> list[Evaluation]:
    from ..measure.sweep import sweep

    left = [point for point in plan if point.setting.key not in points.done]
    with going("sweep", len(left), sum(p.setting.steps or 1 for p in left)) as going_on:
        return sweep(bench, plan, points, lambda p: going_on.begin(_name(p), p.setting.steps or 1), first)


def _name(point: Point) -> str:
    from ..guidance import parse
    from ..measure.scales import short

    return f"{short(parse(str(point.setting.guidance)))}, {point.setting.steps} steps"


def _bases(rules: Sequence[str | None], against: str) -> set[str]:
    """The rule of a sweep that is meant. Raises UsageError where there is none."""
    from ..request import Defaults, ruled

    text = str(ruled(against, Defaults()))
    if text not in rules:
        there = ", ".join(dict.fromkeys(str(rule) for rule in rules))
        raise UsageError(f"--against {against} is no rule of this sweep: there are {there}")
    return {text}


def _like(point: Evaluation, bases: Sequence[Evaluation]) -> Evaluation:
    """Of as many steps, if there is one."""
    return next((base for base in bases if base.setting.steps == point.setting.steps), bases[0])


def _table(found: Sequence[Evaluation], seen: Detector) -> None:
    """A row for each point: what it is, the main metrics with their 95 % intervals, and what it costs."""
    named, texts = _told_apart(found)
    metrics = measured(found)
    names = [*texts, *heads(metrics, seen), "evaluations/image", "seconds"]
    rows = [[*named(e), *(cell(e[m]) for m in metrics), f"{e.evaluations:g}", f"{e.seconds:.1f}"] for e in found]
    show.table(names, rows, right=[head for head in names if head != "rule"])


def _told_apart(found: Sequence[Evaluation]) -> tuple[Any, list[str]]:
    """What tells the points of this sweep apart: the cells of one, and their heads."""
    several = {
        "rule": len({e.facts["rule"] for e in found}) > 1,
        "scale": True,
        "w": True,
        "interval": any(e.facts["interval"] for e in found),
        "steps": len({e.setting.steps for e in found}) > 1,
    }

    def cells(point: Evaluation) -> list[str]:
        scale, w = scale_cells(point.facts)
        every = (point.facts["rule"], scale, w, bounds_cell(point.facts), str(point.setting.steps))
        return [text for text, shown in zip(every, several.values(), strict=True) if shown]

    return cells, [name for name, shown in several.items() if shown]
