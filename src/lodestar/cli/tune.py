"""`lodestar tune`: the guidance that is best by a metric, within bounds, confirmed on fresh seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ..errors import UsageError
from . import show
from .config import to_json
from .measuring import Begun, Measuring

if TYPE_CHECKING:
    from ..measure.bench import Bench
    from ..measure.setting import Evaluation, Setting
    from ..measure.tune import Confirmed, Goal, Search, Space
    from ..model import Model

SAMPLED = ("sampler", "steps", "grid")
TRIALS, FRESH = "trials.jsonl", "fresh.jsonl"  # in --out
Rules = Annotated[tuple[str, ...], arg(metavar="RULE ...")]
Texts = Annotated[tuple[str, ...], arg(metavar='"METRIC >= X" ...')]
Counts = Annotated[tuple[int, ...], arg(metavar="STEPS ...")]


@dataclass(frozen=True, kw_only=True)
class Tune(Measuring):
    """Find the guidance that is best by a metric, confirm it on fresh seeds, and make it the model's default."""

    minimize: str | None = None  # this metric, as FD
    maximize: str | None = None  # or this one, as "prompt accuracy"
    where: Texts = ()  # bounds on others, as "prompt accuracy >= 0.9"
    within: float | None = None  # network evaluations (rows of a forward pass) for a picture at most
    # among which rules: of cfg the scale is searched, of interval also which steps are guided, of schedule the shape;
    # what is written stays, as the 3 of "interval(cfg(3))"
    guidance: Rules = ("cfg",)
    try_steps: Counts = ()  # search the number of steps too, among these
    n: int = 500  # samples of a trial; one that is surely worse is given up at a quarter or half of them
    trials: int = 30  # settings to measure at most
    candidates: int = 3  # of them the best, to be confirmed
    fresh_n: int | None = None  # samples that confirm; by default as many as --n
    fresh_seed: int | None = None  # of the first of those; by default far from all others
    out: Path = Path("runs/tune")  # a folder for what was measured, to go on from where it was stopped
    keep: bool = False  # leave the model's folder as it is, and print what was found

    def run(self) -> dict[str, object]:
        from ..measure.tune import check_price

        goal = self.goal()
        self.check()
        show.check_folder(self.out)
        begun = self.begun()
        model: Any = begun.bench.model
        space = self.space(model)
        check_price(space, goal, begun.bench.rows)
        search = self.search(begun, goal, space)
        with show.progress() as bar:
            task = bar.add_task("tuning", total=self.trials)
            search.run(self.trials, lambda seen, done, total: bar.update(task, completed=done))
        found = self.confirmed(begun, search, self._default(model, space))
        _table(found, begun.bench)
        return {"config": to_json(self), **found.to_json(), "written": self.written(model, begun, found)}

    def resolved(self) -> Tune:
        self.goal()
        self.check()
        return self

    def goal(self) -> Goal:
        """What is looked for. Raises UsageError where that is not one metric, or unknown."""
        from ..measure.tune import Goal

        if (self.minimize is None) == (self.maximize is None):
            raise UsageError("say what is best: --minimize METRIC or --maximize METRIC, one of them, as --minimize FD")
        if self.within is not None and not self.within > 0:
            raise UsageError(f"--within must be above 0 evaluations, got {self.within:g}")
        sense = "minimize" if self.maximize is None else "maximize"
        return Goal.of(str(self.minimize or self.maximize), sense, self.where, self.within)

    def check(self) -> None:
        super().check()
        for name in ("trials", "candidates"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if not self.guidance:
            raise UsageError("--guidance is empty: give the rules to choose from, as --guidance cfg interval")
        if abs(self._fresh_seed() - self.seed) < max(self.n, self.fresh_n or 0):
            raise UsageError(f"--fresh-seed {self.fresh_seed} draws samples of the search again: take one further off")

    def space(self, model: Model) -> Space:
        from ..measure.setting import Setting
        from ..measure.tune import Space

        given = {name: getattr(self, name) for name in SAMPLED if getattr(self, name) is not None}
        base = Setting(**{**{name: getattr(model.defaults, name) for name in SAMPLED}, **given})
        return Space.of(self.guidance, model.process, base, self.try_steps)

    def search(self, begun: Begun, goal: Goal, space: Space) -> Search:
        from ..measure.points import Points
        from ..measure.tune import Search

        asked = {"goal": str(goal), "rules": [*self.guidance], "base": asdict(space.base), "steps": [*self.try_steps]}
        points = Points.open(self.out / TRIALS, {**begun.protocol, "tune": asked})
        bench = begun.bench
        return Search(bench.growing, goal, space, points, len(bench.asked), self.each, self.seed, bench.rows)

    def confirmed(self, begun: Begun, search: Search, default: Setting) -> Confirmed:
        """The best few beside the default, on samples that the search never saw."""
        from ..measure.points import Points
        from ..measure.tune import confirmed

        bench = begun.bench
        model: Any = bench.model
        fresh = self.bench(model, dict(bench.others), self.fresh_n or self.n, self._fresh_seed())
        points = Points.open(self.out / FRESH, fresh.protocol)
        settings = [each.setting for each in search.best(self.candidates)]
        return confirmed(fresh.bench, search.goal, settings, default, points)

    def written(self, model: Model, begun: Begun, found: Confirmed) -> bool:
        """Make the best one the model's default, where that is better and can be; say what was done."""
        from ..model_folder import CONFIG, SHIPPED, retell

        folder = model.folder
        chosen = {k: v for k, v in asdict(found.best.setting).items() if v is not None}
        if not found.improves:
            print(f"{found.default.setting.guidance} stays: on fresh seeds nothing was better")
            return False
        if self.keep or begun.bench.others or folder is None or folder.resolve().parent == SHIPPED.resolve():
            print(f"found: --guidance '{found.best.setting.guidance}' --steps {found.best.setting.steps}")
            return False
        measured = {**found.to_json(), "protocol": begun.protocol, "fresh_seed": self._fresh_seed()}
        retell(folder, {**chosen, "tuned": measured})
        print(f"default of {folder / CONFIG}: {found.best.setting.guidance}")
        return True

    def _default(self, model: Model, space: Space) -> Setting:
        """What the model does when nobody asks otherwise, sampled as the trials are."""
        return replace(space.base, guidance=model.defaults.guidance)

    def _fresh_seed(self) -> int:
        return self.seed + 10_000_000 if self.fresh_seed is None else self.fresh_seed


def _table(found: Confirmed, bench: Bench) -> None:
    """On fresh seeds: candidates, and the default."""
    from ..measure.numbers import called

    goal = found.goal
    heads = ["guidance", "steps", *(called(m, bench.detector) for m in goal.metrics), "evaluations/image", "bounds"]
    rows = [[*_row(seen, goal), goal.missed(seen) or "kept"] for seen in found.found]
    default = [*_row(found.default, goal), goal.missed(found.default) or "kept"]
    show.table(heads, [*rows, [f"{default[0]} (default)", *default[1:]]], right=heads[1:-1])
    gain = found.gain
    sure = "" if found.sure else ", which these samples do not tell from none"
    print(f"\nbetter than the default by {gain.value:.4g} ({gain.low:.4g} to {gain.high:.4g}, in pairs){sure}")


def _row(seen: Evaluation, goal: Goal) -> list[str]:
    numbers = [f"{seen[m].value:.4g} ({seen[m].low:.4g} to {seen[m].high:.4g})" for m in goal.metrics]
    return [str(seen.setting.guidance), str(seen.setting.steps), *numbers, f"{seen.evaluations:g}"]
