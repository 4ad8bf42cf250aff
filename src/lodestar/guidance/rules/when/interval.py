"""Guidance in an interval of noise. Kynkaanniemi et al. 2024, arXiv:2404.07724, sec. 3.

    inner where lo < sigma/alpha <= hi, inner's base elsewhere (and only the base is evaluated there)

Bounds are EDM's sigma, whatever the process; with one level per sample each sample is inside or outside on its own.
Every evaluation is judged by its own level, a corrector's too; the authors' code goes by the step, both of whose
evaluations are guided or neither, and its bounds are steps, the last one included. It is
schedule(inner, interval(lo, hi)) by a shorter name.

A choice between predictions, the same in every space. Cost: the inner rule's inside, its base's outside.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ....core import Step
from ... import schedules
from ...fields import Number
from ...rule import rule
from .weighted import Weighted


@rule
class Interval(Weighted):
    """A rule that acts in an interval of noise levels."""

    lo: Number = schedules.Interval.lo
    hi: Number = schedules.Interval.hi
    ranges: ClassVar = schedules.Interval.ranges

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in vars(self.shape).items():
            object.__setattr__(self, name, value)  # the dataclass is frozen, and this is still its birth

    @property
    def shape(self) -> schedules.Shape:
        return schedules.Interval(self.lo, self.hi)

    def weight(self, at: Step) -> Tensor:
        return self.shape(at.level)
