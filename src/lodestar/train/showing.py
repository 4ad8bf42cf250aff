"""Tasks of networks that tell pictures apart: what they are shown, pictures at drawn noise levels, or clean ones.

u ~ density,  eps ~ N(0, I),  x = alpha x0 + sigma eps        functions of (seed, step, place in the batch)

x0 is the picture, or what augment.py makes of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..core import Level, generator
from ..data import Batch
from ..pictures import from_uint8
from ..process import Density, Process, Uniform
from .augment import Augment
from .task import ACCURACY, NOISE

_DRAWS = 0x73686F77  # keeps these draws apart from all others of the same seed


@dataclass(frozen=True)
class Showing:
    """Which levels, how often, and of which pictures. clean: no noise at all, whatever the process."""

    process: Process
    density: Density = field(default_factory=Uniform)
    clean: bool = False
    seed: int = 0
    augment: Augment = field(default_factory=Augment)

    def __call__(self, images: Tensor, step: int, first: int, device: torch.device) -> tuple[Tensor, Level]:
        """x [B, C, H, W] and its levels [B], of images uint8 whose first is at place `first` in the step's batch."""
        chances = [generator(self.seed, _DRAWS, step, first + i) for i in range(len(images))]
        images = self.augment(images, chances)
        if self.clean:
            return noisy(images, torch.zeros(images.shape), clean(len(images)), device)
        level = self.process.level(torch.cat([self.density.sample(1, self.process, g) for g in chances]))
        return noisy(images, torch.stack([torch.randn(images.shape[1:], generator=g) for g in chances]), level, device)


def clean(n: int) -> Level:
    """The level [n] of pictures without noise."""
    one, zero = torch.ones(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    return Level(one, zero, zero, zero)


def noisy(images: Tensor, eps: Tensor, level: Level, device: torch.device) -> tuple[Tensor, Level]:
    """Pictures uint8 [B, C, H, W] under this noise, on this device, and their levels."""
    at = level.like(eps)
    x = at.alpha * from_uint8(images) + at.sigma * eps
    return x.to(device, memory_format=torch.channels_last), level


@dataclass
class Telling(ABC):
    """A task whose loss is of what its network tells of a noisy picture."""

    network: Any  # a Classifier, a Clip
    showing: Showing
    facts: Mapping[str, Tensor] = field(default_factory=dict)

    @abstractmethod
    def seen(self, batch: Batch, x: Tensor, level: Level) -> dict[str, Tensor]:
        """`loss` and `ACCURACY`, each [B], of the batch's pictures as x [B, C, H, W]."""

    @property
    def process(self) -> Process:
        return self.showing.process

    def loss(self, batch: Batch, step: int, first: int = 0) -> Tensor:
        x, level = self.showing(batch.images, step, first, _device(self.network))
        seen = self.seen(batch, x, level)
        self.facts = {NOISE: level.noise_to_signal, ACCURACY: seen[ACCURACY]}
        return seen["loss"]

    def judge(self, batch: Batch, eps: Tensor, level: Level) -> Mapping[str, Tensor]:
        """What validation tells of pictures under this noise, each [B]; a clean network is shown them without it."""
        level = clean(len(batch)) if self.showing.clean else level
        return self.seen(batch, *noisy(batch.images, eps, level, _device(self.network)))


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
