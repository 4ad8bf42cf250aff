"""A rule under another condition, for a region or a part of the noise. Ours.

    under(cfg(4), name="other")        null + 4 (c_other - null)

What the inner rule asks of the user's condition it gets of the one of this name. What it asks of nothing (the null of
all), or of another name, stays. The base is the user's own condition, so that interval(under(cfg(4), name="other"))
says where in the noise the other one is meant. Space: the inner rule's. Cost: the inner rule's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, TypeVar

from ....core import Prediction, Step
from ...rule import ALL, Ask, Asks, Rule, View, rule
from .named import Named

T = TypeVar("T")


@rule
class Under(Named):
    """A rule under another condition."""

    exempt: ClassVar = {"neutral_is_the_base_exactly": "without guidance it is the other condition's prediction"}

    def asks(self, at: Step) -> Asks:
        return dict(self._moved(name, ask) for name, ask in self.inner.asks(at).items())

    def __call__(self, view: View, at: Step) -> Prediction:
        own = self._renamed
        return self.inner(View(view.x, own(view.named), own(view.pulls), own(view.gradients)), at)

    def base_asks(self) -> Asks:
        return Rule.base_asks(self)

    def base(self, view: View) -> Prediction:
        return Rule.base(self, view)

    def _moved(self, name: str, ask: Ask) -> tuple[str, Ask]:
        """What is asked of the other condition, by a name of its own."""
        if ask.replace is not None or ask.drop is ALL:
            return name, ask
        return self._own(name), replace(ask, replace=self.name)

    def _renamed(self, found: Mapping[str, T]) -> dict[str, T]:
        """By the inner rule's own names, what was asked for it."""
        prefix = self._own("")
        return {**found, **{name.removeprefix(prefix): v for name, v in found.items() if name.startswith(prefix)}}

    def _own(self, name: str) -> str:
        return f"{self.key}: {name}"
