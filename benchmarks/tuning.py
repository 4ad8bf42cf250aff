"""What tuning finds, and with how many samples, beside a fine grid: on the shipped models, judged on fresh seeds.

    python -m benchmarks tuning

A grid of 40 scales, each with n samples, names its best one. `tune` has a quarter of those samples, its confirmation
on fresh seeds included, to come within 2 %, or one paired standard error, of it on samples that neither saw. Beside it,
where the model is told a text alone: the best interval that tune finds, and the schedule fitted by self-consistency
(arXiv:2510.00815), once as it is fitted and once tuned as a whole by a factor; both are left out with --alone. Hours of
a core, fewer with --compile: every point is kept in runs/tuning, and the same command goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lodestar.conditions import JointSchema
from lodestar.data import Source
from lodestar.data.scenes.source import ScenesSource
from lodestar.data.scenes.triples import EditsSource
from lodestar.measure.asked import asked
from lodestar.measure.bench import Bench
from lodestar.measure.consistency import fitted
from lodestar.measure.features import detector
from lodestar.measure.features.detector import digest
from lodestar.measure.goal import Goal
from lodestar.measure.numbers import LOWER, Number, about, apart, called
from lodestar.measure.points import Points
from lodestar.measure.protocol import protocol
from lodestar.measure.reference import reference
from lodestar.measure.setting import Evaluation, Setting
from lodestar.measure.tune import Search, Space, confirmed
from lodestar.model import Model, load

from .interleave import Series
from .machine import steady
from .options import Options
from .report import Finding, Report

METRIC = "FD"  # the one to be best in
METRIC_EDITS = "edit accuracy"  # of a model that edits: a Frechet distance of as few samples hardly sees it
NEAR = 0.02  # of the grid's best
SHARE = 0.25  # of the grid's samples
FRESH, JUDGES = 10_000_000, 20_000_000  # first seeds of the confirmation, and of who judges both
KEPT = Path("runs/tuning")
TUNE, INTERVAL, HEIGHT = "tune", "tune, interval", "fitted schedule, its height tuned"


@dataclass(frozen=True)
class Size:
    n: int = 300  # samples of a setting
    grid: int = 40  # scales from 1 to 15, even in the logarithm: 7 % apart
    trials: int = 8  # of a strength alone; all of them whole, and two to confirm, are a quarter of the grid
    several: int = 16  # of an interval
    candidates: int = 1  # and the default are confirmed
    judged: int = 1500  # samples of whoever is compared
    real: int = 10_000
    fitted: int = 2000  # pictures
    steps: int | None = None


EDITS = Size(n=150, judged=750)  # of a model that edits, which has three network rows a step
QUICK = Size(20, 4, 3, 4, 1, 20, 60, 8, 1)


@dataclass(frozen=True, eq=False)
class Task:
    """One model, and all that its settings are measured with."""

    model: Model
    bench: Bench
    size: Size
    folder: Path
    source: Source
    options: Options

    @property
    def edits(self) -> bool:
        return isinstance(self.model.schema, JointSchema)

    @property
    def goal(self) -> Goal:
        return Goal(METRIC_EDITS if self.edits else METRIC)

    @property
    def rule(self) -> str:
        """With one open strength: of edit the other one stays as it is by default."""
        return "edit(image=1.5)" if self.edits else "cfg"

    @property
    def space(self) -> Space:
        return self.among(self.rule)

    def among(self, *rules: str) -> Space:
        own = self.model.defaults
        base = Setting(sampler=own.sampler, steps=self.size.steps or own.steps, grid=own.grid)
        return Space.of(rules, self.model.process, base)

    def drawn(self, n: int, seed: int) -> Bench:
        return replace(self.bench, asked=asked(self.model.schema, self.source, n, seed=seed))

    def points(self, what: str, bench: Bench) -> Points:
        """The file of what is measured so."""
        weights, own = digest(self.model.network.state_dict()), bench.asked
        told = {"model": weights, "precision": self.model.precision, "samples": len(own), "prompts": own.digest}
        told |= {"rule": self.rule, "base": asdict(self.space.base), "first_seed": own.seed}
        told |= {"compiled": self.options.compile, "goal": str(self.goal)}
        path = self.folder / f"{self.model.name}, {self.model.precision}, {self.size.n} samples" / f"{what}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return Points.open(path, protocol(bench.detector, bench.reference, told))

    def grid(self) -> tuple[list[Evaluation], int]:
        """Every scale, and samples in all."""
        [open] = self.space.families[0].open
        shares = [i / (self.size.grid - 1) for i in range(self.size.grid)]
        settings = [self.space.setting({"guidance": self.rule, open.name: open.at(share)}) for share in shares]
        points = self.points("grid", self.bench)
        return [points.get(s, partial(self.bench, s)) for s in settings], self.size.grid * self.size.n

    def tuned(self, what: str, trials: int, rule: str) -> tuple[Setting, int]:
        """What tune chooses, and the samples that it took, those of the confirmation included."""
        goal, space, fresh = self.goal, self.among(rule), self.drawn(self.size.n, FRESH)
        points = self.points(what, self.bench)
        search = Search(self.bench.growing, goal, space, points, self.size.n)
        search.run(trials)
        default = replace(space.base, guidance=self.model.defaults.guidance)
        settings = [e.setting for e in search.best(self.size.candidates)]
        found = confirmed(fresh, goal, settings, default, self.points(f"{what}, confirmed", fresh))
        kept = found.best if found.improves else found.default
        return kept.setting, sum(e.samples for e in points) + self.size.n * (len(found.found) + 1)

    def fitted(self) -> Iterator[tuple[str, Setting]]:
        """The schedule by self-consistency, and what tune makes of a scale for it."""
        found = fitted(self.model, self.source, self.size.fitted)
        yield "fitted schedule", replace(self.space.base, guidance=str(found))
        if any(found.weights):
            yield HEIGHT, self.tuned(HEIGHT, self.size.trials, f"schedule(cfg, {found.shape})")[0]


def task(name: str, options: Options, folder: Path) -> Task:
    model = load(name, options.device, options.precision)
    if options.compile:
        compile_network(model)
    seen = detector(options.detector, options.device)
    side, edits = model.shape[-1], isinstance(model.schema, JointSchema)
    source = EditsSource(side) if edits else ScenesSource(side)
    size = QUICK if options.quick else EDITS if edits else Size()
    size = size if options.samples is None else replace(size, n=options.samples)
    real = reference(source, seen, data=str(source.describe()["source"]), n=size.real)
    return Task(model, Bench(model, seen, real, asked(model.schema, source, size.n)), size, folder, source, options)


def compile_network(model: Model) -> None:
    """Its weights are frozen into it."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    model.network.compile()


def compared(task: Task, grid: list[Evaluation], samples: int) -> Iterator[tuple[str, Setting, int]]:
    """Each way to choose, what it chooses, and the samples that it took; the grid first."""
    yield "grid", min(grid, key=task.goal.rank).setting, samples
    yield TUNE, *task.tuned(TUNE, task.size.trials, task.rule)
    if not task.edits and not task.options.alone:
        yield INTERVAL, *task.tuned(INTERVAL, task.size.several, f"interval({task.rule})")
        for what, setting in task.fitted():
            yield what, setting, 0
    yield "the model's default", replace(task.space.base, guidance=task.model.defaults.guidance), 0


def measure(options: Options) -> Report:
    found, findings, told, sizes = list[Series](), list[Finding](), list[str](), dict[str, object]()
    seen = detector(options.detector, options.device)
    for name in options.models:
        with TemporaryDirectory() as passing:
            work = task(name, options, Path(passing) if options.quick else KEPT)
            grid, samples = work.grid()
            ways = list(compared(work, grid, samples))
            judge = work.drawn(work.size.judged, JUDGES)
            points = work.points("judged", judge)
            metric = work.goal.metric
            numbers = {what: points.get(s, partial(judge, s))[metric] for what, s, _ in ways}
        found += [Series(f"{name}: {what}", called(metric, seen), numbers[what].splits) for what, _, _ in ways]
        findings += list(_findings(name, metric, numbers, {what: samples for what, _, samples in ways}))
        told += [_told(name, what, setting, numbers[what], numbers["grid"]) for what, setting, _ in ways]
        told += list(_over_grid(name, grid))
        sizes[f"{name}: goal"] = str(work.goal)
        sizes |= {f"{name}: {k}": v for k, v in vars(work.size).items() if v is not None}
    how = {"precision": options.precision, "compiled": options.compile, "strength alone": options.alone}
    settings = {"detector": options.detector, **how, **sizes}
    return Report(named(options), TITLE, settings, found, findings, (*told, *NOTES), machine=steady(options.device))


def named(options: Options) -> str:
    """The report's name: of one model alone that one, and the samples that were asked for."""
    model = options.models[0] if len(options.models) == 1 else None
    return "-".join(str(part) for part in ("tuning", model, options.samples) if part is not None)


def _findings(name: str, metric: str, numbers: dict[str, Number], samples: dict[str, int]) -> Iterator[Finding]:
    grid, tune = numbers["grid"], numbers[TUNE]
    worse = apart(tune, grid) if about(metric).better == LOWER else apart(grid, tune)
    allowed = max(NEAR * grid.value, worse.error)
    what = f"{name}: how much worse than the grid's best, in parts of 2 % or one paired standard error"
    yield Finding(what, worse.value / allowed, 1.0, "at most")
    yield Finding(f"{name}: samples, as a share of the grid's", samples[TUNE] / samples["grid"], SHARE, "at most")


def _told(name: str, what: str, setting: Setting, number: Number, grid: Number) -> str:
    less = apart(number, grid)
    beside = "" if number is grid else f", {less.value:+.3g} ({less.low:+.3g} to {less.high:+.3g}) beside the grid's"
    return f"{name}, {what}: {setting.guidance}, {setting.steps} steps: {number.value:.4g}{beside}."


def _over_grid(name: str, grid: list[Evaluation]) -> Iterator[str]:
    """Every point of it."""
    for metric in (METRIC, METRIC_EDITS):
        values = [f"{e.setting.guidance} {e[metric].value:.4g}" for e in grid if metric in e.numbers]
        if values:
            yield f"{name}, {metric} over the grid: {', '.join(values)}."


TITLE = "Tuning: what is found with a quarter of a grid's samples"
NOTES = (
    "All numbers but those over the grid are of samples that nobody was chosen by; differences are in pairs. Medians "
    "are of splits, and of a Frechet distance of what each split adds to the whole (a jackknife), which lacks the "
    "whole's bias of few samples and so is less.",
    "The samples of tune are those of all its trials and of its confirmation on fresh seeds.",
)
