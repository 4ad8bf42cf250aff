"""Whether what a search found holds on fresh seeds, and is better there than what the model has by default.

The best of many is lucky on the samples that it was chosen by; on others its number is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import UsageError
from ...guidance import parse
from ..goal import Goal
from ..numbers import HIGHER, Number, apart
from ..points import Points
from ..setting import Evaluation, Setting
from ..sweep import facts

Measure = Callable[[Setting], Evaluation]
DEFAULT = Setting()


@dataclass(frozen=True)
class Confirmed:
    """Candidates and the default, on fresh seeds."""

    goal: Goal
    found: tuple[Evaluation, ...]  # the best first, within the bounds before those outside
    default: Evaluation

    @property
    def best(self) -> Evaluation:
        """Raises UsageError where none keeps its bounds."""
        if self.goal.excess(self.found[0]) > 0:
            near = min(self.found, key=self.goal.excess)
            raise UsageError(
                f"on fresh seeds no candidate kept its bounds: the nearest was {near.setting.guidance} with "
                f"{self.goal.missed(near)}; confirm more of them (--candidates), or ask for a little more than you need"
            )
        return self.found[0]

    @property
    def gain(self) -> Number:
        """By how much the best one's metric is better than the default's, in pairs: above 0 is better."""
        metric = self.goal.metric
        pair = (self.best[metric], self.default[metric])
        return apart(*pair) if self.goal.better == HIGHER else apart(*reversed(pair))

    @property
    def improves(self) -> bool:
        """Whether the best one is to be preferred: it is better, or keeps bounds that the default breaks."""
        return self.goal.excess(self.default) > 0 or self.gain.value > 0

    @property
    def sure(self) -> bool:
        """Whether the seeds tell the two apart."""
        return self.gain.low > 0

    def to_json(self) -> dict[str, Any]:
        """What a model's card keeps: JSON values."""
        told = {"goal": str(self.goal), "gain": self.gain.to_json() | {"splits": None}, "sure": self.sure}
        return {**told, "best": _brief(self.best, self.goal), "default": _brief(self.default, self.goal)}


def confirmed(
    measure: Measure,
    goal: Goal,
    candidates: Sequence[Setting],
    default: Setting = DEFAULT,
    points: Points | None = None,
) -> Confirmed:
    """Each measured on a bench whose first seed is another than the search's; `points` keeps what is finished."""

    def known(setting: Setting) -> Evaluation:
        if points is None:
            return measure(setting)
        return points.get(setting, lambda: _plotted(measure(setting)))

    usual = known(default)
    found = sorted((known(setting) for setting in candidates), key=goal.rank)
    return Confirmed(goal, tuple(found), usual)


def _plotted(seen: Evaluation) -> Evaluation:
    """With what a plot has to know."""
    return replace(seen, facts={**seen.facts, **facts(parse(str(seen.setting.guidance or "cfg(1)")))})


def _brief(seen: Evaluation, goal: Goal) -> dict[str, Any]:
    numbers = {m: {k: v for k, v in seen[m].to_json().items() if k != "splits"} for m in goal.metrics}
    kept = {k: v for k, v in vars(seen.setting).items() if v is not None}
    return {**kept, "numbers": numbers, "samples": seen.samples, "evaluations": seen.evaluations}
