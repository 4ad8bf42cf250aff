"""A plain convolutional image encoder: pairs of convolutions with batch norm and max pooling, deaf to the noise.

    features(x, level) [B, D]       D the channels of the lowest level

The network of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498, sec. 3.1, without its
whitened first layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Level

if TYPE_CHECKING:
    from .encoder import ImageEncoderConfig


class PlainEncoder(nn.Module):
    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.config, c = config, config
        self.stem = nn.Conv2d(c.in_channels * c.patch**2, c.channels[0], 3, padding=1)
        self.down = nn.Sequential(*(_Stage(*widths, c.blocks) for widths in pairwise(c.channels)))

    @property
    def features(self) -> int:
        """D."""
        return self.config.channels[-1]

    def forward(self, x: Tensor, level: Level) -> Tensor:
        h = F.gelu(self.stem(self.config.read(x, level)))  # [B, C0, H/p, W/p]
        h = self.down(h)  # [B, D, H/p/2^n, W/p/2^n]
        return h.amax((2, 3))


class _Stage(nn.Module):
    """[B, C, H, W] -> [B, D, H/2, W/2]."""

    def __init__(self, before: int, width: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.rest = nn.Sequential(*(_Block(width) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(F.gelu(self.norm(F.max_pool2d(self.first(x), 2))))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.norm(self.conv(x)))
