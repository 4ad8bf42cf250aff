"""What the rules that give a part of the picture to another rule have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ....core import Prediction, Step, lerp
from ....errors import UsageError
from ...rule import Asks, Rule, View, Wrapper, check_rule, union
from ..combine.cfg import CFG

GUIDED = CFG()  # rules never change, so that all may have the same one


@dataclass(frozen=True)
class Within(Wrapper):
    """A rule, and another one where a mask is 1; so is the base."""

    inside: Rule = GUIDED

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rule("inside", self.inside)

    @abstractmethod
    def of(self, height: int, width: int) -> Tensor:
        """How much of each pixel is the other rule's, [H, W] or [B, H, W] in float64, from 0 to 1."""

    def begin(self) -> Rule:
        return replace(self, inner=self.inner.begin(), inside=self.inside.begin())

    def asks(self, at: Step) -> Asks:
        return union(self.inner.asks(at), self.inside.asks(at))

    def __call__(self, view: View, at: Step) -> Prediction:
        return lerp(self.inner(view, at), self.inside(view, at), self.mask(view.x))

    def base_asks(self) -> Asks:
        return union(self.inner.base_asks(), self.inside.base_asks())

    def base(self, view: View) -> Prediction:
        return lerp(self.inner.base(view), self.inside.base(view), self.mask(view.x))

    def mask(self, x: Tensor) -> Tensor:
        """The same [B or 1, 1, ..., H, W], for pictures x [B, ..., H, W]."""
        if x.ndim < 3:
            name = type(self).__name__.lower()
            raise UsageError(f"a {name} is of pictures [B, ..., H, W], and x is {[*x.shape]}")
        return self.of(*x.shape[-2:]).reshape(-1, *[1] * (x.ndim - 3), *x.shape[-2:]).to(x.device)


def middles(n: int) -> Tensor:
    """Where the pixels of a side of n are: the share of it up to the middle of each, float64 [n]."""
    return (torch.arange(n) + 0.5).double() / n
