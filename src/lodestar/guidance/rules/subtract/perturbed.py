"""What PAG, SEG and SLG have in common: inner + strength (cond - the same with a change inside the network).

The base is the network under the user's own condition, whatever the inner rule is: around cfg(s) it is the published
null + s (cond - null) + strength (cond - changed), around cfg(1) the published one without CFG. Where the network
offers no such change it says so: see `hooked` in guidance/network.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

from torch import Tensor

from ....core import Prediction, Step
from ...fields import Number, settle, values, weight
from ...ops import choose
from ...rule import Ask, Asks, View, Wrapper, union
from .against import NOT_THE_NULL


@dataclass(frozen=True)
class Perturbed(Wrapper):
    """A rule and the pull away from a changed network: strength 0 is the inner rule, exactly."""

    strength: Number = 3.0  # the author's of SEG; of PAG diffusers'
    neutral: ClassVar = {"strength": 0.0}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": NOT_THE_NULL}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "strength")

    @abstractmethod
    def hooks(self) -> Mapping[str, Tensor]:
        """The changes by name, each with the samples that it is for, bool [] or [B]."""
        ...

    def asks(self, at: Step) -> Asks:
        on = values(self.strength) != 0
        changed = {hook: Ask(hook=hook, rows=on & here) for hook, here in self.hooks().items()}
        return union(self.inner.asks(at), {"cond": Ask(rows=on)}, changed)

    def __call__(self, view: View, at: Step) -> Prediction:
        each = [(view[hook], here) for hook, here in self.hooks().items()]
        changed = reduce(lambda p, one: choose(one[1], one[0], p), each[1:], each[0][0])
        return self.inner(view, at) + (view["cond"] - changed) * weight(self.strength, view.x)
