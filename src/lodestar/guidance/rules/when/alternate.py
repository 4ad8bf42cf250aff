"""Guidance on every other step. AUTOMATIC1111's stable-diffusion-webui, pull request 9177, 2023; no paper.

    inner on the steps 0, every, 2 every, ..., and at sigma/alpha >= below; its base on the others

There it is the option "negative guidance minimum sigma": below this sigma the null is left out of every other step. By
steps, as there, not by noise level: a step's corrector does as its predictor. Nothing makes up for what is left out, so
that it is about 1 / every of the guidance. Two things do at the same cost: `cached`, and as many times the guidance in
the steps that have some, alternate(cfg(3)) for cfg(2), which on the oracle ends as near to it
(tests/guidance/rules/test_when.py).

Linear in what the rule gives, hence the same in every space. Cost: in network rows of cfg 1 + 1 / every.
"""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor

from ....core import Step
from ...fields import Number, settle, values
from ...rule import rule
from .weighted import Weighted, check_every


@rule
class Alternate(Weighted):
    """A rule that acts on every other step."""

    every: int = 2  # steps; theirs
    below: Number = math.inf  # sigma/alpha; ours: everywhere
    ranges: ClassVar = {"every": (1, math.inf), "below": (0, math.inf)}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_every(self.every)
        settle(self, "below")

    def weight(self, at: Step) -> Tensor:
        return ((at.level.noise_to_signal.cpu() >= values(self.below)) | (at.index % self.every == 0)).double()
