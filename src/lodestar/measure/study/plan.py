"""What each study draws: which models, at which scales, with how many steps. Values of the paper where it has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf

from ...errors import UsageError, unknown
from ...guidance import CFG
from ..setting import Setting

SCALES = (1.0, 1.1, 1.3, 2.0, 3.0, 5.0)  # w 0 to 4, as in its Table 1
DROPS = (0.1, 0.2, 0.5)  # its p_uncond
STEPS = 64  # of its first two studies here; it does not say its own for 64 pixels
SAMPLER = "ancestral(noise_mix=0.3)"  # its v for 64 pixels


@dataclass(frozen=True)
class Plan:
    """Every model at every scale with every number of steps."""

    study: str
    drops: tuple[float, ...]  # a model each: how often its condition was dropped in training
    scales: tuple[float, ...]  # of cfg: the paper's w and 1
    steps: tuple[int, ...]
    sampler: str = SAMPLER
    grid: str = "u"

    def settings(self) -> list[tuple[Setting, Mapping[str, object]]]:
        """In which each model is sampled, with what a plot has to know of it."""
        return [
            (Setting(str(CFG(s)), self.sampler, t, self.grid), {"rule": "cfg", "scale": s, "w": round(s - 1, 9)})
            for t, s in product(self.steps, self.scales)
        ]


STUDIES: Mapping[str, Plan] = {
    "strength": Plan("strength", DROPS[:1], SCALES, (STEPS,)),
    "dropout": Plan("dropout", DROPS, SCALES, (STEPS,)),
    "steps": Plan("steps", DROPS[:1], (1.0, 1.3, 3.0), (32, 64, 128, 256)),
}


COUNTS: Mapping[str, Mapping[str, tuple[int, float]]] = {  # the least and most of each that its claims can be told of
    "strength": {"drops": (1, 1), "scales": (3, inf), "steps": (1, 1)},
    "dropout": {"drops": (3, inf), "scales": (2, inf), "steps": (1, 1)},
    "steps": {"drops": (1, 1), "scales": (1, inf), "steps": (2, inf)},
}


def plan(study: str, sampler: str | None = None, grid: str | None = None, **given: Sequence[float] | None) -> Plan:
    """A study, with the drops, scales and steps that are given in place of its own.

    Raises UsageError for what could not decide its claims.
    """
    if study not in STUDIES:
        raise unknown("study", study, STUDIES)
    own = STUDIES[study]
    lists = {name: _checked(study, name, values) for name, values in given.items() if values is not None}
    found = replace(own, sampler=sampler or own.sampler, grid=grid or own.grid, **lists)  # type: ignore[arg-type]
    if found.scales[0] != 1:
        raise UsageError(f"a study begins without guidance: the least of --scales must be 1, got {found.scales[0]:g}")
    return found


def _checked(study: str, name: str, values: Sequence[float]) -> tuple[float, ...]:
    """Rising, each once, and as many as it takes."""
    found = tuple(sorted(set(values)))
    least, most = COUNTS[study][name]
    if not least <= len(found) <= most:
        many = f"{least} or more" if most > least else f"{least}"
        raise UsageError(f"the study of {study} takes {many} of --{name}, got {len(found)}")
    return found
