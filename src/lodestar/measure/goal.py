"""What is looked for: the best of one metric, under bounds on others and on what a picture may cost.

excess   how far outside of its bounds a setting is, as a share of each; the largest, and at most 0 inside
cost     the metric, turned so that less is better
spare    by how many standard errors it keeps its bounds
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan

from ..errors import UsageError
from .numbers import HIGHER, LOWER, NEITHER, Number, about, apart, plain
from .setting import Evaluation

BIASED = ("FD", "MIND", "recall", "coverage", "IS")  # another number of few samples than of many
LATE = ("FD infinity",)  # not told of few samples
_BOUND = re.compile(r"\s*(?P<metric>.+?)\s*(?P<sign>>=|<=)\s*(?P<value>[^<>=]+?)\s*")


@dataclass(frozen=True)
class Bound:
    """A metric has to be at least, or at most, so much."""

    metric: str
    at_least: bool
    value: float

    @classmethod
    def parse(cls, text: str) -> Bound:
        """As "prompt accuracy >= 0.9". Raises UsageError for anything else, and for an unknown metric."""
        found = _BOUND.fullmatch(text)
        try:
            value = float(found["value"]) if found else inf
        except ValueError:
            value = inf
        if found is None or not isfinite(value):
            raise UsageError(
                f"'{text}' is no bound: write a metric, >= or <=, and a number, as 'prompt accuracy >= 0.9'"
            )
        return cls(plain(found["metric"]), found["sign"] == ">=", value)

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.value:g}"

    def outside(self, value: float) -> float:
        """How far outside this value is; below 0 inside."""
        return self.value - value if self.at_least else value - self.value

    def excess(self, value: float) -> float:
        """The same as a share of the bound."""
        return inf if isnan(value) else self.outside(value) / (abs(self.value) or 1.0)

    def broken(self, number: Number) -> bool:
        """Whether the whole interval of a number is outside."""
        return self.excess(number.high if self.at_least else number.low) > 0 and isfinite(number.low + number.high)


@dataclass(frozen=True)
class Goal:
    """The best of a metric. Raises UsageError for an unknown one, and for one of which neither side is better."""

    metric: str
    bounds: tuple[Bound, ...] = ()
    within: float | None = None  # network rows forward for a picture, at most

    def __post_init__(self) -> None:
        if about(self.metric).better == NEITHER:
            known = f"neither more nor less {self.metric} is better"
            raise UsageError(f"{known}: choose another metric to optimise; in a bound it may stand")

    @classmethod
    def of(
        cls, minimize: str | None, maximize: str | None, where: Sequence[str] = (), within: float | None = None
    ) -> Goal:
        """From a command's options: the metric stands at its better side. Raises UsageError for both sides or none."""
        if (minimize is None) == (maximize is None):
            raise UsageError("say what is best: --minimize METRIC or --maximize METRIC, one of them, as --minimize FD")
        goal = cls(plain(str(maximize if minimize is None else minimize)), tuple(map(Bound.parse, where)), within)
        if goal.better != (HIGHER if minimize is None else LOWER):
            mend = "minimize" if goal.better == LOWER else "maximize"
            raise UsageError(f"of {goal.metric} {goal.better} is better: say --{mend} {goal.metric!r}")
        return goal

    def __str__(self) -> str:
        best = f"the {'lowest' if self.better == LOWER else 'highest'} {self.metric}"
        limits = [*map(str, self.bounds), *([] if self.within is None else [f"within {self.within:g} evaluations"])]
        return f"{best}{' with ' if limits else ''}{' and '.join(limits)}"

    @property
    def better(self) -> str:
        return about(self.metric).better

    @property
    def metrics(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.metric, *(bound.metric for bound in self.bounds))

    def too_early(self, seen: Evaluation) -> bool:
        """Whether so few samples do not tell what more of them will."""
        return any(metric in LATE and metric not in seen.numbers for metric in self.metrics)

    def cost(self, value: float) -> float:
        return value if self.better == LOWER else -value

    def excess(self, seen: Evaluation) -> float:
        """Of the worst bound; what was not sampled for its price is known by that alone."""
        return max([-inf, *(share for _, share in self._outside(seen))])

    def rank(self, seen: Evaluation) -> tuple[float, float]:
        """What sorts settings, the best first. Raises UsageError for a metric that was not measured."""
        return max(self.excess(seen), 0.0), self.cost(seen[self.metric].value) if seen.numbers else inf

    def missed(self, seen: Evaluation) -> str:
        """The bounds that a setting breaks, and by what."""
        return ", ".join(told for told, share in self._outside(seen) if share > 0)

    def spare(self, seen: Evaluation) -> float:
        """By how many standard errors the nearest bound is kept; 0 where that is not known."""
        kept = [max(0.0, -b.outside(seen[b.metric].value)) / (seen[b.metric].error or inf) for b in self.bounds]
        return min([inf, *(each if isfinite(each) else 0.0 for each in kept)])

    def hopeless(self, seen: Mapping[str, Number], best: Mapping[str, Number], whole: Mapping[str, Number]) -> bool:
        """Whether a setting surely breaks a bound, or is surely worse than the best one on the same samples.

        `whole` is what the best one had of all samples. A bound on what is another number of few samples than of many
        is judged as far as that one tells what it will be.
        """
        for bound in (b for b in self.bounds if b.metric in seen):
            biased = bound.metric in BIASED
            number = foretold(bound.metric, seen, best, whole) if biased else seen[bound.metric]
            if number is not None and bound.broken(number):
                return True
        if self.metric not in seen or self.metric not in best:
            return False
        less = apart(seen[self.metric], best[self.metric])
        return less.low > 0 if self.better == LOWER else less.high < 0

    def _outside(self, seen: Evaluation) -> Iterator[tuple[str, float]]:
        if self.within is not None:
            told = f"{seen.evaluations:g} evaluations where {self.within:g} are allowed"
            yield told, (seen.evaluations - self.within) / self.within
        for bound in (b for b in self.bounds if b.metric in seen.numbers):  # of what costs too much there are none
            value = seen[bound.metric].value
            yield f"{bound.metric} {value:.4g} where {bound} is asked", bound.excess(value)


def foretold(
    metric: str, seen: Mapping[str, Number], best: Mapping[str, Number], whole: Mapping[str, Number]
) -> Number | None:
    """A number of all samples, guessed from the first ones: the best setting's, and what is apart on those."""
    if not all(metric in each for each in (seen, best, whole)):
        return None
    less, value = apart(seen[metric], best[metric]), whole[metric].value
    return replace(less, value=value + less.value, low=value + less.low, high=value + less.high, splits=())
