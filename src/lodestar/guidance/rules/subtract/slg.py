"""Skip-layer guidance: away from the network without some layers. Stability AI 2024, with Stable Diffusion 3.5 medium;
for video Hyung et al. 2024, arXiv:2411.18664 (STG).

    inner + strength (cond - c_skip)        strength 0: the inner rule, exactly

c_skip is the prediction of the network under its hook "skip(i)", or "skip(i, j)", which leaves these layers out.
Stability AI use it in a part of the steps: here that is an interval of noise around this rule, or plus. slg(cfg(1)) is
SLG alone.

Linear, hence the same in every space. Cost: a row besides the inner rule's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ....errors import UsageError
from ...fields import Number
from ...rule import rule
from .perturbed import Perturbed


@rule
class SLG(Perturbed):
    """A rule and the pull away from the network without some layers."""

    strength: Number = 2.8  # Stability AI's for Stable Diffusion 3.5 medium
    layers: Sequence[int] = (7, 8, 9)  # all in one pass; likewise, of 24
    example: ClassVar = {"layers": (1,)}  # the shipped models have four

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = tuple(self.layers) if isinstance(self.layers, list | tuple) else (self.layers,)
        whole = all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in layers)
        if not layers or not whole or len(set(layers)) < len(layers):
            raise UsageError(f"layers must be whole numbers from 0, each once, got {list(layers)}")
        object.__setattr__(self, "layers", layers)

    def hooks(self) -> dict[str, Tensor]:
        return {f"skip({', '.join(map(str, self.layers))})": torch.tensor(True)}
