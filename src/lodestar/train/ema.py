"""Exponential moving average of the weights, with a half-life in images.

    ema <- d ema + (1 - d) weights,   d = 0.5^(batch / min(half_life, ramp * images seen))

The ramp is EDM's (Karras et al. 2022, arXiv:2206.00364, app. F.5 and code): an average never remembers much further
back than a twentieth of the run, so that it is of use from the first steps on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .config import TrainConfig


class Ema:
    """A second copy of a network, in `network`: what is validated, sampled from and kept."""

    def __init__(self, config: TrainConfig, network: nn.Module) -> None:
        self.config = config
        self._share = 1.0  # of the weights, against the average
        self._average = AveragedModel(network, multi_avg_fn=self._towards)
        self._average.eval().requires_grad_(False)

    @property
    def network(self) -> nn.Module:
        return self._average.module

    def update(self, network: nn.Module, step: int) -> None:
        """After the update of this step, counted from 0."""
        self._share = 1 - decay(self.config, step)
        self._average.update_parameters(network)

    def restored(self, steps: int) -> None:
        """To be called once the weights of `network` have been loaded: it has seen this many steps."""
        self._average.n_averaged.fill_(steps)

    def _towards(self, average: Sequence[Tensor], weights: Sequence[Tensor], _: object) -> None:
        with torch.no_grad():
            torch._foreach_lerp_(list(average), list(weights), self._share)


def decay(config: TrainConfig, step: int) -> float:
    """d of the formula above: 0 at the first step, where there is nothing to remember."""
    half_life = min(config.ema_half_life, config.ema_ramp * step * config.batch)
    return 0.5 ** (config.batch / half_life) if half_life > 0 else 0.0
