"""Validation loss by noise level: always the same held-out pictures under the same noise, conditions kept.

Picture i is looked at under level i mod `LEVELS` alone, at the middle of that share of u, so the mean over all is an
estimate of the loss under uniform u.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..core import generator
from ..data import Batch
from .precision import Precision, autocast
from .task import Denoising, condition_of

LEVELS = 8
_DRAWS = 0x76616C6964  # keeps these draws apart from all others


@dataclass(frozen=True)
class Validation:
    """Called with a network, gives its loss."""

    task: Denoising
    held: Batch
    batch: int  # pictures a forward pass
    precision: Precision = "fp32"

    def __call__(self, network: nn.Module, _steps: int = 0) -> dict[str, object]:
        """`loss`, and `levels`: the loss at each sigma/alpha."""
        was_training = network.training
        network.eval()
        losses = torch.cat([self._losses(network, start) for start in range(0, len(self.held.images), self.batch)])
        network.train(was_training)
        which = self._levels(len(losses))
        ratio = self.task.process.level(_middles(torch.arange(LEVELS))).noise_to_signal
        levels = {f"{float(ratio[k]):.4g}": float(losses[which == k].mean()) for k in which.unique()}
        return {"loss": float(losses.mean()), "levels": levels}

    @torch.no_grad()
    def _losses(self, network: nn.Module, start: int) -> Tensor:
        """[B], on the CPU."""
        held = self.held[start : start + self.batch]
        shape, places = held.images.shape, range(start, start + len(held.images))
        eps = torch.stack([torch.randn(shape[1:], generator=generator(_DRAWS, i)) for i in places])
        level = self.task.process.level(_middles(self._levels(start + len(eps))[start:]))
        task = replace(self.task, network=network)
        with autocast(next(network.parameters()).device, self.precision):
            return task.error(held.images, eps, level, condition_of(held, task.schema)).float().cpu()

    def _levels(self, n: int) -> Tensor:
        return torch.arange(n) % LEVELS


def _middles(k: Tensor) -> Tensor:
    return (k.double() + 0.5) / LEVELS
