"""Rules at equal network evaluations, on the same model, noise and prompts, each tuned on seeds of its own.

A rule that costs one row a step takes twice the steps of one that costs two: the steps are those whose evaluations of
one picture are nearest to the budget. Its strength is chosen on tuning seeds, by successive halving, and what is
compared is measured once, on others; so no rule gains by having been tried more often. Which of two strengths is chosen
is luck where the tuning samples do not tell them apart: that is told, and of cfg, which all are compared with, the
others are measured too, lest a rule's gain be that of a strength.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any, TypeAlias

from ..errors import UsageError
from ..guidance import parse
from .candidates import BASE, Candidate
from .goal import Goal
from .numbers import LEAST, Number, apart
from .paired import differences, verdict
from .points import Points
from .scales import family, scale_of, short
from .setting import Evaluation, Measures, Setting
from .sweep import facts

SHARE = 4  # the first round has a quarter of the samples
BEST = 3  # and a third of the settings goes on to the second
ROUNDS = 5  # of looking for the steps that cost so much

Rows: TypeAlias = Callable[[Setting], float]  # network evaluations of one picture
OnSetting: TypeAlias = Callable[[str, Setting, int | None], Mapping[str, Any]]  # begins, n: what its bench is given


@dataclass(frozen=True)
class Chosen:
    """The best setting of a rule, and those that were as many samples not told to be worse."""

    setting: Setting
    alike: tuple[Setting, ...] = ()


Choose: TypeAlias = Callable[[str, Sequence[Setting]], Chosen]  # of a rule's settings, by the rule's name


@dataclass(frozen=True)
class Entry:
    """A rule that can be compared, with the steps that the budget allows at each of its strengths."""

    name: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Standing:
    """A rule as it was chosen and measured, and how far it is from plain guidance."""

    name: str
    tried: int  # settings
    found: Evaluation
    apart: Mapping[str, Number]  # from cfg, of each metric; empty for cfg itself
    alike: tuple[Setting, ...] = ()  # what could as well have been chosen

    @property
    def text(self) -> str:
        """The rule as it was chosen."""
        return " or ".join(short(parse(str(s.guidance))) for s in (self.found.setting, *self.alike))

    def to_json(self) -> dict[str, Any]:
        apart = {metric: {**n.to_json(), "verdict": verdict(metric, n)} for metric, n in self.apart.items()}
        alike = [setting.guidance for setting in self.alike]
        found = {"found": self.found.to_json(), "alike": alike, "apart": apart}
        return {"rule": self.name, "tried": self.tried, **found}


def entries(
    candidates: Sequence[Candidate], base: Setting, budget: float, rows: Rows
) -> tuple[list[Entry], dict[str, str]]:
    """The rules that the model can follow at so many evaluations a picture; and of the others, why not.

    Raises UsageError where it cannot follow cfg.
    """
    found, out = [], {}
    for one in candidates:
        try:
            found.append(Entry(one.name, tuple(_fitted(one, base, budget, rows))))
        except UsageError as error:
            if one.name == BASE:
                raise
            out[one.name] = str(error)
    return found, out


def _fitted(one: Candidate, base: Setting, budget: float, rows: Rows) -> Iterator[Setting]:
    """Each text of a rule as a setting; those that differ in their scale alone cost the same, but at 1 less."""
    steps: dict[tuple[str, bool], int | None] = {}
    for text in one.rules:
        setting, rule = replace(base, guidance=text), parse(text)
        alike = family(rule), scale_of(rule) == 1
        if alike not in steps:
            steps[alike] = fitted(setting, budget, rows).steps
        yield replace(setting, steps=steps[alike])


def fitted(setting: Setting, budget: float, rows: Rows) -> Setting:
    """The setting with the steps whose evaluations of one picture are nearest to the budget.

    Raises UsageError where a single step costs more.
    """
    tried: dict[int, float] = {}
    steps = max(1, round(budget / 2))
    while steps not in tried and len(tried) < ROUNDS:
        tried[steps] = rows(replace(setting, steps=steps))
        steps = max(1, round(budget * steps / max(tried[steps], 1)))
    best = min(tried, key=lambda count: (abs(tried[count] - budget), count))
    if best == 1 and tried[best] > budget:
        raise UsageError(f"a single step costs {tried[best]:g} evaluations, and {budget:g} are allowed")
    return replace(setting, steps=best)


def halving(bench: Measures, n: int, goal: Goal, points: Callable[[int], Points], tell: OnSetting) -> Choose:
    """All settings of a rule with a quarter of n samples, the best third of them with n; what is best there, and alike.

    `points` gives the file of those that were measured with so many samples. Raises UsageError for too few of them.
    """
    few = first_round(n)

    def choose(name: str, settings: Sequence[Setting]) -> Chosen:
        if len(settings) == 1:
            return Chosen(settings[0])
        best = _ranked(settings, few, name)[: ceil(len(settings) / BEST)]
        if len(best) == 1:
            return Chosen(best[0])
        first, *others = _ranked(best, n, f"{name}, the better")
        return Chosen(first, tuple(other for other in others if not _worse(other, first)))

    def _worse(a: Setting, b: Setting) -> bool:
        """Whether n samples say so."""
        one, other = (points(n).done[setting.key][goal.metric] for setting in (a, b))
        return verdict(goal.metric, apart(one, other)) == "worse"

    def _ranked(settings: Sequence[Setting], count: int, what: str) -> list[Setting]:
        kept = points(count)
        found = {s: kept.get(s, partial(_drawn, s, count, what)) for s in settings}
        return sorted(settings, key=lambda s: goal.rank(found[s]))

    def _drawn(setting: Setting, count: int, what: str) -> Evaluation:
        return bench(setting, count, **tell(what, setting, count))

    return choose


def first_round(n: int) -> int:
    """Samples of each setting in the first round. Raises UsageError for too few."""
    if n < SHARE * LEAST:
        raise UsageError(f"--tune-n must be at least {SHARE * LEAST}: a quarter of it has to say something, got {n}")
    return n // SHARE


def rounds(entry: Entry, n: int) -> list[int]:
    """The samples of each evaluation that halving makes of a rule."""
    count = len(entry.settings)
    better = ceil(count / BEST)
    return [] if count == 1 else [first_round(n)] * count + [n] * (better if better > 1 else 0)


def compare(
    bench: Measures, entries: Sequence[Entry], choose: Choose, points: Points, tell: OnSetting
) -> Iterator[Standing]:
    """Each rule at its best, cfg's first, with what of cfg could as well be; `points` keeps what is compared."""
    base: Evaluation | None = None
    for entry in sorted(entries, key=lambda e: e.name != BASE):
        chosen, tried = choose(entry.name, entry.settings), len(entry.settings)
        found = _measured(bench, entry, chosen.setting, points, tell)
        yield Standing(entry.name, tried, found, {} if base is None else differences(found, base), chosen.alike)
        if base is None:
            base = found
            for setting in chosen.alike:
                other = _measured(bench, entry, setting, points, tell)
                yield Standing(f"{BASE}, as likely", tried, other, differences(other, base))


def _measured(bench: Measures, entry: Entry, setting: Setting, points: Points, tell: OnSetting) -> Evaluation:
    def measure() -> Evaluation:
        found = bench(setting, None, **tell(f"{entry.name}, chosen", setting, None))
        told = {**facts(parse(str(setting.guidance))), "compared": entry.name, "tried": len(entry.settings)}
        return replace(found, facts={**found.facts, **told})

    return points.get(setting, measure)
