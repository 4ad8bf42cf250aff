"""A noise-aware image encoder: from a noisy picture to features, by the way down of the U-Net.

    features(x, level) [B, D]       D the channels of the lowest level

Residual blocks and transformers as in the U-Net, then attention from the mean over all pixels to each of them, as CLIP
pools (Radford et al. 2021, arXiv:2103.00020, sec. 2.4). What it reads is x / sqrt(alpha^2 + sigma^2) and the angle of
the level, which every process has alike: trained under one, it reads the noisy pictures of any.

A `clean` one is deaf to the level and takes every picture for one without noise: for comparison, and for detectors.
A `plain` one is convolutions alone: plain.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Level, per_sample
from ..errors import UsageError
from .layers import Attention, LevelEmbedding, Norm, ResBlock, SpatialTransformer
from .plain import PlainEncoder


@dataclass(frozen=True)
class ImageEncoderConfig:
    in_channels: int = 3
    channels: tuple[int, ...] = (48, 96)  # per level, finest first
    blocks: int = 1  # residual blocks per level
    transformers: tuple[int, ...] = (0, 1)  # transformer blocks per level, at its end
    patch: int = 2  # pixels folded into channels on the way in
    head: int = 32  # channels an attention head
    vector: int = 128  # width of the modulation vector
    clean: bool = False  # trained on pictures without noise, and told of none
    plain: bool = False  # convolutions alone, the first level one and each other one more than `blocks`; clean only

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.transformers) or not self.channels:
            got = f"{self.channels} and {self.transformers}"
            raise UsageError(f"channels and transformers must be one for each level, got {got}")
        if min(self.patch, self.blocks, self.in_channels, self.head, self.vector, *self.channels) < 1:
            raise UsageError("in_channels, channels, blocks, patch, head and vector must be at least 1")
        if self.plain and (not self.clean or any(self.transformers)):
            raise UsageError("a plain encoder is clean and has no transformers: give clean, and transformers of 0")
        for width, depth in zip(self.channels, (*self.transformers[:-1], 1), strict=True):  # the last one is pooled
            if not self.plain and depth and width % self.head:
                raise UsageError(f"{width} channels with attention do not divide into heads of {self.head}")

    @property
    def multiple(self) -> int:
        """The side of an image must be a multiple of this."""
        return self.patch * 2 ** (len(self.channels) - 1)

    def read(self, x: Tensor, level: Level) -> Tensor:
        """What the first layer is given of x [B, C, H, W]: [B, C p p, H/p, W/p], of unit variance at every level."""
        if x.shape[-1] % self.multiple or x.shape[-2] % self.multiple:
            needs = f"sides that are a multiple of {self.multiple}"
            raise UsageError(f"this network needs {needs}, got {list(x.shape)}")
        return F.pixel_unshuffle(x / per_sample(torch.hypot(level.alpha, level.sigma), x), self.patch)


class Reads:
    """What the configuration of a network with an image encoder says of its images: what the encoder's says."""

    image: ImageEncoderConfig

    @property
    def in_channels(self) -> int:
        return self.image.in_channels

    @property
    def multiple(self) -> int:
        """The side of an image must be a multiple of this."""
        return self.image.multiple


# For two CPU cores: about 0.3, 0.6 and 2.4 million parameters.
SIZES = {
    "small": ImageEncoderConfig(channels=(32, 64)),
    "medium": ImageEncoderConfig(channels=(48, 96)),
    "large": ImageEncoderConfig(channels=(96, 192), transformers=(0, 2)),
}


class ImageEncoder(nn.Module):
    nothing: Tensor

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.config, c = config, config
        self.register_buffer("nothing", torch.zeros(1, c.vector), persistent=False)  # all that a clean one is told
        self.level = None if c.clean else LevelEmbedding(c.vector)
        self.stem = nn.Conv2d(c.in_channels * c.patch**2, c.channels[0], 3, padding=1)
        self.shrink, self.down = nn.ModuleList(), nn.ModuleList()
        before = c.channels[0]
        for i, (width, depth) in enumerate(zip(c.channels, c.transformers, strict=True)):
            self.shrink.append(nn.Conv2d(before, width, 3, stride=2, padding=1) if i else nn.Identity())
            self.down.append(_Stage(c, width, depth))
            before = width
        self.norm = Norm(before)
        self.pool = Attention(before, before // c.head)

    @property
    def features(self) -> int:
        """D."""
        return self.config.channels[-1]

    def forward(self, x: Tensor, level: Level) -> Tensor:
        vector = self.nothing if self.level is None else self.level(level)  # [B or 1, V]
        h = self.stem(self.config.read(x, level))  # [B, C0, H/p, W/p]
        for shrink, stage in zip(self.shrink, self.down, strict=True):
            h = stage(shrink(h), vector)  # [B, Ci, H/2^i, W/2^i]
        pixels = F.silu(self.norm(h)).flatten(2).transpose(1, 2)  # [B, HW, D]
        mean = pixels.mean(1, keepdim=True)
        return (mean + self.pool(mean, pixels))[:, 0]


def encoder(config: ImageEncoderConfig) -> ImageEncoder | PlainEncoder:
    """The one that a configuration is of."""
    return PlainEncoder(config) if config.plain else ImageEncoder(config)


class _Stage(nn.Module):
    """Residual blocks, then transformer blocks where the level has them."""

    def __init__(self, c: ImageEncoderConfig, width: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResBlock(width, width, c.vector) for _ in range(c.blocks))
        self.transformer = SpatialTransformer(width, depth, c.head, c.vector, None) if depth else None

    def forward(self, h: Tensor, vector: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, vector)
        return h if self.transformer is None else self.transformer(h, vector, None, None)
