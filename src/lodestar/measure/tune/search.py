"""The search: settings spread over each family, then where they say that the best is, each on growing samples.

    starts     a few of every family; of one open number evenly spaced, else by Halton's sequence
    TPE        Optuna's tree-structured Parzen estimator (Watanabe 2023, arXiv:2304.11127), where several are open
    refining   the strength of the best one alone: refine.py; all that follows the starts where one number is open

A setting is measured on the first quarter of the samples, the first half, and all: with the same prompts and noise as
every other, so that it is given up as soon as the paired difference to the best one, or a bound, says that it is surely
none. What is proposed is a function of the finished trials and the seed, so that a search that was killed goes on as if
it had not been. Along one number Optuna is not used: it does not know how smooth a metric is, and ends
several times as far from the best one after as many trials (tests/measure/test_tune_search.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any, cast

from ...errors import UsageError
from ...guidance import Interval, parse
from ..goal import Goal, foretold
from ..numbers import Number
from ..points import Points
from ..setting import Evaluation, Setting
from ..sweep import facts as plotted
from .refine import Tried, refined
from .space import Family, Open, Params, Space, settled

Growing = Callable[[Setting, Sequence[int]], Iterable[Evaluation]]  # the numbers of the first so many samples
Rows = Callable[[Setting], float]  # network rows forward for one picture
OnTrial = Callable[[Evaluation, int, int], None]  # what was measured, trials done, trials in all
SAY = 60  # samples; a first part of fewer says too little to give a setting up
PARTS = (4, 2)  # of all samples: a quarter, half
ALONE, AMONG = 5, 8  # starts of a family with one open number, and with several, at most
FEWEST = 3  # of any
TRIES = 50  # proposals of what was measured already, after which the space counts as searched
WORST = 1e12  # what breaks a bound, for an optimiser that knows no bounds: worse than all that breaks none


@dataclass(frozen=True)
class Search:
    """Finds settings that are good by a goal. `points` keeps the trials, in order, also across kills."""

    growing: Growing
    goal: Goal
    space: Space
    points: Points
    n: int  # samples of a whole trial
    each: int = 1  # samples of a prompt
    seed: int = 0
    rows: Rows | None = None  # asked for where the goal has `within`

    def run(self, trials: int, on_trial: OnTrial | None = None) -> list[Evaluation]:
        """All trials, of this call and those before; fewer where the space has no more settings.

        Raises UsageError for fewer trials than families, and for a metric that is not measured.
        """
        if trials < len(self.space.families):
            raise UsageError(f"{trials} trials for {len(self.space.families)} rules: give one each at least")
        while len(self.points) < trials:
            params = self._proposed(trials)
            if params is None:
                break
            found = self._measured(params)
            self.points.add(found)
            if on_trial is not None:
                on_trial(found, len(self.points), trials)
        return list(self.points)

    def best(self, most: int = 1) -> list[Evaluation]:
        """The best settings that were measured on all samples, within the bounds.

        The best of those that are just inside is just outside on other samples as often as not, so that the second is
        the best one that keeps its bounds by a standard error, the third by two. Raises UsageError where none is
        inside, with the one that was nearest.
        """
        whole = sorted((e for e in self.points if e.samples and not e.facts["given_up"]), key=self.goal.rank)
        inside = [e for e in whole if self.goal.excess(e) <= 0]
        if not inside:
            tried = [e for e in self.points if e.samples]
            if not tried:
                raise UsageError(
                    f"nothing was measured: every setting costs more than {self.goal.within:g} evaluations"
                )
            near = min(tried, key=self.goal.excess)
            raise UsageError(
                f"no setting reaches {self.goal}: the nearest was {near.setting.guidance} with "
                f"{self.goal.missed(near)}; ease the bound, or try other rules"
            )
        safe = (next((e for e in inside if self.goal.spare(e) >= k), inside[0]) for k in range(most))
        found = {e.setting.key: e for e in (*safe, *inside)}
        return list(found.values())[:most]

    # What is measured next.

    def _proposed(self, trials: int) -> Params | None:
        starts = [s for s in _starts(self.space, trials) if self._new(s)]
        if starts:
            return starts[0]
        alone = all(len(f.open) < 2 for f in self.space.families)
        if alone or len(self.points) >= trials - trials // 4:
            line = self._refined()
            if line is not None or alone:
                return line
        return self._sampled()

    def _new(self, params: Params) -> bool:
        return self.space.setting(params).key not in self.points.done

    def _refined(self) -> Params | None:
        """The best one's with another strength; the next best one's where all around that is known."""
        for best in sorted(self.points, key=lambda e: (max(self.goal.excess(e), 0.0), _estimate(e))):
            params, family = best.facts["params"], self.space.family(best.facts["params"])
            if family.strength is None:
                continue
            name, low, high = family.strength.name, family.strength.low, family.strength.high
            at = refined([self._tried(e, name) for e in self.points if _alike(e, params, name)], low, high)
            found = None if at is None else {**params, name: settled(at)}
            if found is not None and self._new(found):
                return found
        return None

    def _tried(self, seen: Evaluation, name: str) -> Tried:
        return Tried(seen.facts["params"][name], _estimate(seen), self.goal.excess(seen))

    def _sampled(self) -> Params | None:
        """By TPE; None where it has nothing new."""
        optuna = imported()
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
        for seen in self.points:
            study.add_trial(_trial(optuna, self.space, seen, self._value(seen)))
        for attempt in range(TRIES):
            study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=0, seed=(self.seed * 10_000 + len(self.points)) * TRIES + attempt
            )
            trial = study.ask()
            params = _suggested(trial, self.space)
            if self._new(params):
                return params
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return None

    def _value(self, seen: Evaluation) -> float:
        """One number for an optimiser: the cost, and of what breaks a bound how far it does."""
        excess, cost = self.goal.excess(seen), _estimate(seen)
        return cost if excess <= 0 and isfinite(cost) else WORST * (1 + max(excess, 0.0))

    # How it is measured.

    def _measured(self, params: Params) -> Evaluation:
        setting = self.space.setting(params)
        facts = {**self._told(params, setting), "params": dict(params), "given_up": False, "stages": {}}
        if self.goal.within is not None and self.rows is not None:
            cost = self.rows(setting)
            if cost > self.goal.within:
                return Evaluation(setting, {}, 0, cost, facts={**facts, "given_up": True, "estimate": None})
        return self._grown(setting, facts)

    def _told(self, params: Params, setting: Setting) -> dict[str, Any]:
        """What a plot has to know; trials of one rule that differ in more than its scale lie on no line along it."""
        family, rule = self.space.family(params), cast(Any, parse(str(setting.guidance)))
        acts = isinstance(rule, Interval)
        told = plotted(rule.inner, (float(rule.lo), float(rule.hi))) if acts else plotted(rule)
        alone = [one.name for one in family.open] in ([], ["scale"])
        return told if alone and not acts else {**told, "rule": family.text, "scattered": True}

    def _grown(self, setting: Setting, facts: dict[str, Any]) -> Evaluation:
        pivot = self._pivot()
        for seen in self.growing(setting, self._counts()):
            if seen.samples < self.n and self.goal.too_early(seen):
                continue
            at = str(seen.samples)
            facts["stages"][at] = {m: seen[m].to_json() for m in self.goal.metrics}  # or it is said which is not there
            before, whole = _stage(pivot, at), {} if pivot is None else pivot.numbers
            if seen.samples < self.n and self.goal.hopeless(seen.numbers, before, whole):
                number = foretold(self.goal.metric, seen.numbers, before, whole)
                cost = None if number is None else self.goal.cost(number.value)
                return replace(seen, facts={**facts, "given_up": True, "estimate": cost})
        return replace(seen, facts={**facts, "estimate": self.goal.cost(seen[self.goal.metric].value)})

    def _counts(self) -> list[int]:
        """Samples, whole prompts, after which one looks."""
        parts = [self.n // part // self.each * self.each for part in PARTS]
        return [*(n for n in parts if n >= SAY), self.n]

    def _pivot(self) -> Evaluation | None:
        """The best one until now, of all samples and within the bounds."""
        whole = [e for e in self.points if e.samples and not e.facts["given_up"] and self.goal.excess(e) <= 0]
        return min(whole, key=self.goal.rank) if whole else None


def check_price(space: Space, goal: Goal, rows: Rows) -> None:
    """Raise UsageError for a rule that the model cannot follow, and where every rule costs more than is allowed."""
    costs = [rows(space.setting(family.start(i, FEWEST))) for family in space.families for i in range(FEWEST)]
    if goal.within is not None and min(costs) > goal.within:
        what = f"within {goal.within:g} evaluations is too few for any of these rules"
        raise UsageError(f"{what}: the cheapest setting takes {min(costs):g} for a picture; take fewer --steps")


def imported() -> Any:
    """Optuna, quiet. Raises UsageError where it is not there."""
    try:
        import optuna
    except ImportError:
        extra = "pip install 'lodestar-diffusion[tune]'"
        raise UsageError(f"to search several numbers at once Optuna is needed, and it is not there: {extra}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _starts(space: Space, trials: int) -> Iterator[Params]:
    """The first settings of each family, in turn."""
    share = max(FEWEST, trials // (2 * len(space.families)))
    counts = {f: min(share, (1, ALONE)[len(f.open)] if len(f.open) < 2 else AMONG) for f in space.families}
    for i in range(max(counts.values())):
        yield from (family.start(i, count) for family, count in counts.items() if i < count)


def _estimate(seen: Evaluation) -> float:
    found = seen.facts["estimate"]
    return inf if found is None else found


def _alike(seen: Evaluation, params: Params, name: str) -> bool:
    """Whether a trial differs in this one number at most."""
    return {**seen.facts["params"], name: 0} == {**params, name: 0}


def _stage(seen: Evaluation | None, at: str) -> Mapping[str, Number]:
    """What a trial had after so many samples."""
    kept = {} if seen is None else seen.facts["stages"].get(at, {})
    return {metric: Number.from_json(number) for metric, number in kept.items()}


# As Optuna has it: numbers of one name are another of each family.


def _trial(optuna: Any, space: Space, seen: Evaluation, value: float) -> Any:
    params, family = dict(seen.facts["params"]), space.family(seen.facts["params"])
    own = {"guidance": family.text, **{_named(family, o.name): params[o.name] for o in family.open}}
    kinds = {"guidance": optuna.distributions.CategoricalDistribution([f.text for f in space.families])}
    kinds |= {_named(family, o.name): _distribution(optuna, o) for o in family.open}
    return optuna.trial.create_trial(params=own, distributions=kinds, value=value)


def _distribution(optuna: Any, o: Open) -> Any:
    if o.choices:
        return optuna.distributions.CategoricalDistribution(o.choices)
    return optuna.distributions.FloatDistribution(o.low, o.high, log=o.log)


def _suggested(trial: Any, space: Space) -> Params:
    text = trial.suggest_categorical("guidance", [f.text for f in space.families])
    family = space.family({"guidance": text})
    return {"guidance": text, **{o.name: _suggest(trial, _named(family, o.name), o) for o in family.open}}


def _suggest(trial: Any, name: str, o: Open) -> Any:
    if o.choices:
        return trial.suggest_categorical(name, o.choices)
    return settled(trial.suggest_float(name, o.low, o.high, log=o.log))


def _named(family: Family, name: str) -> str:
    return f"{family.text}: {name}"
