"""Validation by noise level: always the same held-out pictures under the same noise, conditions kept.

Picture i is looked at under level i mod `LEVELS` alone, at the middle of that share of u, so the mean over all is an
estimate of the loss under uniform u.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from ..core import Level, generator
from ..data import Batch
from ..precision import Precision, autocast
from ..process import Process

LEVELS = 8
_DRAWS = 0x76616C6964  # keeps these draws apart from all others


class Judged(Protocol):
    """A task that can be validated."""

    @property
    def process(self) -> Process: ...

    def judge(self, batch: Batch, eps: Tensor, level: Level) -> Mapping[str, Tensor]:
        """What its network makes of pictures under this noise, by name, each [B]: `loss`, and what else it tells."""
        ...


@dataclass(frozen=True)
class Validation:
    """Called with a network, gives what its task tells of it."""

    task: Judged  # a dataclass with the field `network`
    held: Batch
    batch: int  # pictures a forward pass
    precision: Precision = "fp32"

    def __call__(self, network: nn.Module, _steps: int = 0) -> dict[str, object]:
        """`loss`, and `levels`: the loss at each sigma/alpha; likewise `accuracy` and `accuracy_levels`."""
        was_training = network.training
        network.eval()
        parts = [self._seen(network, start) for start in range(0, len(self.held.images), self.batch)]
        network.train(was_training)
        seen = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        means = {name: float(values.mean()) for name, values in seen.items()}
        return {**means, **{_table(name): self._by_level(values) for name, values in seen.items()}}

    def _by_level(self, values: Tensor) -> dict[str, float]:
        which = self._levels(len(values))
        ratio = self.task.process.level(_middles(torch.arange(LEVELS))).noise_to_signal
        return {f"{float(ratio[k]):.4g}": float(values[which == k].mean()) for k in which.unique()}

    @torch.no_grad()
    def _seen(self, network: nn.Module, start: int) -> dict[str, Tensor]:
        """[B] each, on the CPU."""
        held = self.held[start : start + self.batch]
        shape, places = held.images.shape, range(start, start + len(held.images))
        eps = torch.stack([torch.randn(shape[1:], generator=generator(_DRAWS, i)) for i in places])
        level = self.task.process.level(_middles(self._levels(start + len(eps))[start:]))
        task: Judged = replace(self.task, network=network)  # type: ignore[type-var]
        with autocast(next(network.parameters()).device, self.precision):
            return {name: values.float().cpu() for name, values in task.judge(held, eps, level).items()}

    def _levels(self, n: int) -> Tensor:
        return torch.arange(n) % LEVELS


def _middles(k: Tensor) -> Tensor:
    return (k.double() + 0.5) / LEVELS


def _table(name: str) -> str:
    return "levels" if name == "loss" else f"{name}_levels"
