"""`lodestar tune`: the guidance that is best by a metric, within bounds, confirmed on fresh seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ..errors import UsageError
from . import show
from .config import to_json
from .measuring import Begun, Measuring

if TYPE_CHECKING:
    from ..measure.bench import Bench
    from ..measure.consistency import Fitted
    from ..measure.goal import Goal
    from ..measure.setting import Evaluation
    from ..measure.tune import Confirmed, Search, Space
    from ..model import Model

SAMPLED = ("sampler", "steps", "grid")
TRIALS, FRESH, FIT = "trials.jsonl", "fresh.jsonl", "fitted.json"  # in --out
FITTED = "fitted"  # among the rules
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
    # what is written stays, as the 3 of "interval(cfg(3))"; fitted is a schedule fitted by self-consistency
    # (arXiv:2510.00815), as it is and with its height open
    guidance: Rules = ("cfg",)
    try_steps: Counts = ()  # search the number of steps too, among these
    n: int = 500  # samples of a trial; one that is surely worse is given up at a quarter or half of them
    trials: int = 30  # settings to measure at most
    candidates: int = 3  # of them the best, to be confirmed
    fresh_n: int | None = None  # samples that confirm; by default as many as --n
    fresh_seed: int | None = None  # of the first of those; by default far from all others
    fit_n: int = 2000  # training pictures that a schedule is fitted to, each for 6 network evaluations
    out: Path = Path("runs/tune")  # a folder for what was measured, to go on from where it was stopped
    keep: bool = False  # leave the model's folder as it is, and print what was found

    def run(self) -> dict[str, object]:
        from ..measure.points import Points
        from ..measure.setting import Setting
        from ..measure.tune import check_price, confirmed

        goal = self.goal()
        self.check()
        show.check_folder(self.out)
        begun = self.begun()
        begun.caution()
        model: Any = begun.bench.model
        self.check_folder(model)
        space = self.space(begun)
        fresh = self.bench(model, dict(begun.bench.others), self.fresh_n or self.n, self._fresh_seed())
        check_price(space, goal, begun.bench.rows)
        search = self.search(begun, goal, space)
        kept = Points.open(self.out / FRESH, fresh.protocol)
        search.run(self.trials, partial(_tell, goal))
        settings = [each.setting for each in search.best(self.candidates)]
        show.say("tune", f"confirming {len(settings)} and the default with {len(fresh.bench.asked)} fresh samples each")
        found = confirmed(fresh.bench, goal, settings, Setting(**asdict(model.defaults)), kept)
        _table(found, begun.bench)
        return {"config": to_json(self), **found.to_json(), "written": self.written(model, begun, found)}

    def resolved(self) -> Tune:
        self.goal()
        self.check()
        return self

    def goal(self) -> Goal:
        """What is looked for. Raises UsageError where that is not one metric, or unknown."""
        from ..measure.goal import Goal

        if self.within is not None and not self.within > 0:
            raise UsageError(f"--within must be above 0 evaluations, got {self.within:g}")
        return Goal.of(self.minimize, self.maximize, self.where, self.within)

    def check(self) -> None:
        super().check()
        for name in ("trials", "candidates", "fit_n"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        self._check_samples()
        self._check_steps()
        if not self.guidance:
            raise UsageError("--guidance is empty: give the rules to choose from, as --guidance cfg interval")
        if self.json is not None and self.json.resolve() in {(self.out / n).resolve() for n in (TRIALS, FRESH)}:
            raise UsageError(f"--json {self.json} is where the trials go: give another file")

    def _check_samples(self) -> None:
        from ..measure.numbers import LEAST

        for name, n in (("n", self.n), ("fresh_n", self.n if self.fresh_n is None else self.fresh_n)):
            if n < LEAST or n % self.each:
                least = f"at least {LEAST}, and a whole number of prompts with {self.each} each"
                raise UsageError(f"--{name.replace('_', '-')} must be {least}, got {n}")
        if abs(self._fresh_seed() - self.seed) < max(self.n, self.fresh_n or 0):
            raise UsageError(f"--fresh-seed {self.fresh_seed} draws samples of the search again: take one further off")

    def _check_steps(self) -> None:
        from ..request import whole

        for count in self.try_steps:
            whole("try_steps", count)
        if self.try_steps and self.steps is not None:
            raise UsageError("--steps and --try-steps both say how many steps are tried: give one of them")

    def check_folder(self, model: Model) -> None:
        """Raise UsageError where the default could not be written, before hours of searching for it."""
        from ..model_folder import CONFIG

        if self._not_written(model) is None and model.folder is not None:
            show.check_file(model.folder / CONFIG)

    def _not_written(self, model: Model) -> str | None:
        """Why what is found is no default of the model's folder, if so."""
        from ..model_folder import SHIPPED

        if self.keep:
            return "--keep"
        if any((self.named, self.net, self.gradient)):
            return "it was found with what is not in the model's folder"
        if model.folder is None or model.folder.resolve().parent == SHIPPED.resolve():
            return f"'{model.name}' is shipped and stays as it is: copy {model.folder} to have it written there"
        return None

    def space(self, begun: Begun) -> Space:
        from ..measure.setting import Setting
        from ..measure.tune import Space

        model: Any = begun.bench.model
        given = {name: getattr(self, name) for name in SAMPLED if getattr(self, name) is not None}
        base = Setting(**{**{name: getattr(model.defaults, name) for name in SAMPLED}, **given})
        return Space.of(self._rules(begun), model.process, base, self.try_steps)

    def _rules(self, begun: Begun) -> tuple[str, ...]:
        """Those to choose from, a fitted schedule fitted."""
        from ..measure.tune import candidates

        if FITTED not in self.guidance:
            return self.guidance
        model: Any = begun.bench.model
        told = {"model": begun.protocol["model"], "data": self.reference, "n": self.fit_n, "seed": self.seed}
        told |= {"precision": self.precision} if self.precision != "fp32" else {}
        rules = candidates(self.out / FIT, told, lambda: self._fit(model))
        show.say("tune", f"fitted: {rules[0]}")
        return (*(text for text in self.guidance if text != FITTED), *rules)

    def _fit(self, model: Model) -> Fitted:
        from ..measure.consistency import fitted
        from ..measure.sources import own, source

        opened = source(str(self.reference or own(model.card.get("recipe"))), model.shape[-1])
        if opened is None:
            raise UsageError(f"{self.reference} has no pictures to fit a schedule to: give others, or leave it out")
        with show.progress() as bar:
            task = bar.add_task("fitting", total=self.fit_n)
            return fitted(
                model, opened, self.fit_n, seed=self.seed, batch=self.batch,
                on_pictures=lambda done, total: bar.update(task, completed=done),
            )  # fmt: skip

    def search(self, begun: Begun, goal: Goal, space: Space) -> Search:
        from ..measure.points import Points
        from ..measure.tune import Search

        rules = [family.text for family in space.families]
        asked = {"goal": str(goal), "rules": rules, "base": asdict(space.base), "steps": [*self.try_steps]}
        points = Points.open(self.out / TRIALS, {**begun.protocol, "tune": asked})
        bench = begun.bench
        return Search(bench.growing, goal, space, points, len(bench.asked), self.each, self.seed, bench.rows)

    def written(self, model: Model, begun: Begun, found: Confirmed) -> bool:
        """Make the best one the model's default, where that is better and can be; say what was done."""
        from ..model_folder import CONFIG, retell

        folder, why = model.folder, self._not_written(model)
        chosen = {k: v for k, v in asdict(found.best.setting).items() if v is not None}
        if not found.improves:
            print(f"{found.default.setting.guidance} stays: on fresh seeds nothing was better")
            return False
        if why is not None or folder is None:
            print("found: " + " ".join(f"--{name} '{value}'" for name, value in chosen.items()))
            print(f"not written: {why}")
            return False
        measured = {**found.to_json(), "protocol": begun.protocol, "fresh_seed": self._fresh_seed()}
        retell(folder, {**chosen, "tuned": measured})
        print(f"default of {folder / CONFIG}: {found.best.setting.guidance}")
        return True

    def _fresh_seed(self) -> int:
        return self.seed + 10_000_000 if self.fresh_seed is None else self.fresh_seed


def _tell(goal: Goal, seen: Evaluation, done: int, total: int) -> None:
    """A line for each trial."""
    from ..guidance import parse
    from ..measure.scales import short

    what = f"{done} of {total}: {short(parse(str(seen.setting.guidance)))}, {seen.setting.steps} steps"
    numbers = [f"{metric} {seen[metric].value:.4g}" for metric in goal.metrics if seen.samples]
    lost = f"given up after {seen.samples} samples" if seen.samples else goal.missed(seen)
    show.say("tune", ", ".join([what, *numbers, *([lost] if seen.facts["given_up"] else [])]))


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
