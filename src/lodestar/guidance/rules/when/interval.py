"""Guidance in an interval of noise. Kynkaanniemi et al. 2024, arXiv:2404.07724, sec. 3.

    inner where lo < sigma/alpha <= hi, inner's base elsewhere (and only the base is evaluated there)

Bounds are EDM's sigma, whatever the process; with one level per sample each sample is inside or outside on its own.
"""

from __future__ import annotations

from torch import Tensor

from ....core import Prediction, Step
from ....errors import UsageError
from ...fields import Number, settle, values
from ...ops import choose
from ...rule import Asks, View, Wrapper, restrict, rule, union


@rule
class Interval(Wrapper):
    """A rule that acts in an interval of noise levels."""

    lo: Number = 0.28  # sigma/alpha, outside; the paper's interval for SD-XL
    hi: Number = 5.42  # sigma/alpha, inside; inf: from pure noise on

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "lo")
        settle(self, "hi", finite=False)
        if (values(self.lo) > values(self.hi)).any():
            raise UsageError(f"lo must be at most hi, got lo={self.lo} and hi={self.hi}")

    def on(self, at: Step) -> Tensor:
        """bool [] or [B]: is this level inside?"""
        s = at.level.noise_to_signal.cpu()
        return (values(self.lo) < s) & (s <= values(self.hi))

    def asks(self, at: Step) -> Asks:
        on = self.on(at)
        return union(restrict(self.inner.asks(at), on), restrict(self.base_asks(), ~on))

    def __call__(self, view: View, at: Step) -> Prediction:
        on = self.on(at)
        if on.all():
            return self.inner(view, at)
        return choose(on, self.inner(view, at), self.base(view)) if on.any() else self.base(view)
