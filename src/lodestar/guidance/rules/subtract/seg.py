"""Smoothed-energy guidance: away from blurred attention. Hong 2024, arXiv:2408.00760, as in the author's code.

    inner + strength (cond - c_seg)        strength 0: the inner rule, exactly

c_seg is the prediction of the network under its hook "seg(sigma)", in which the queries of self-attention are blurred
in space by a Gaussian of this standard deviation: sigma 0 not at all, inf to their mean. The author keeps strength at 3
and varies sigma. seg(cfg(1)) is SEG alone; it needs no condition.

Linear, hence the same in every space. Cost: a row besides the inner rule's.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

from torch import Tensor

from ....expression import show
from ...fields import Number, settle, values
from ...rule import rule
from .perturbed import Perturbed


@rule
class SEG(Perturbed):
    """A rule and the pull away from smoothed attention."""

    sigma: Number = 100.0  # pixels of the attention's grid; the author's example
    ranges: ClassVar = {"sigma": (0, inf)}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "sigma")

    def hooks(self) -> dict[str, Tensor]:
        each = values(self.sigma)
        return {f"seg({show(s)})": each == s for s in dict.fromkeys(each.reshape(-1).tolist())}
