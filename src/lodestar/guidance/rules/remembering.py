"""A rule with state: born with a trajectory, dead with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ..rule import Rule


@dataclass(frozen=True)
class Remembering(Rule):
    """A rule whose `past` is None in the rule itself, and in what begin() returns a list, empty at first."""

    past: list[Any] | None = field(default=None, init=False, repr=False, compare=False)

    def begin(self) -> Rule:
        running = replace(super().begin())  # type: ignore[type-var]  # a copy, of a wrapper that has begun what is inside
        object.__setattr__(running, "past", [])
        return running
