"""Guidance scheduled over the noise level. Wang et al. 2024, arXiv:2404.13040, and the sources of each shape.

    guided = base + weight(level) (inner - base)        weight 1: the inner rule, 0: its base, both exactly

Of every rule that is base + (scale - 1) d this is the same rule with its scale scheduled as 1 + weight (scale - 1). The
shapes, their normalisation and their time are in guidance/schedules.py. Of two schedules around each other the weights
multiply.

Linear in what the rule gives, hence the same in every space. Cost: that of the inner rule, and the base's row where it
lacks that and the weight is not 1; that of the base alone where the weight is 0.
"""

from __future__ import annotations

from torch import Tensor

from ....core import Step
from ...rule import rule
from ...schedules import Cosine, Shape, check_shape
from .weighted import Weighted


@rule
class Schedule(Weighted):
    """A rule whose guidance has a weight at each noise level."""

    shape: Shape = Cosine()  # ours; the paper's best without a parameter, with linear

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shape("shape", self.shape)

    def weight(self, at: Step) -> Tensor:
        return self.shape(at.level)
