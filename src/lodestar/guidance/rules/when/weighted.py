"""What the rules that say when another one acts have in common."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from ....core import Prediction, Step, lerp
from ....errors import UsageError
from ...ops import choose
from ...rule import Asks, View, Wrapper, restrict, union


class Weighted(Wrapper):
    """base + weight (inner - base): at 1 inner and at 0 its base, both exactly, and nothing else is asked there."""

    @abstractmethod
    def weight(self, at: Step) -> Tensor:
        """float64 [] or [B] on the CPU."""

    def on(self, at: Step) -> Tensor:
        """bool [] or [B]: does the inner rule act here?"""
        return self.weight(at) != 0

    def asks(self, at: Step) -> Asks:
        weight = self.weight(at)
        return union(restrict(self.inner.asks(at), weight != 0), restrict(self.base_asks(), weight != 1))

    def __call__(self, view: View, at: Step) -> Prediction:
        weight = self.weight(at)
        if bool((weight == 1).all()):
            return self.inner(view, at)
        base = self.base(view)
        return choose(weight != 0, lerp(base, self.inner(view, at), weight), base) if weight.any() else base


def check_every(every: object) -> None:
    """Raise UsageError unless this can be a number of steps."""
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise UsageError(f"every must be a whole number of steps, at least 1, got {every}")
