"""A small noise-aware CLIP: how near a noisy picture and a text are. Radford et al. 2021, arXiv:2103.00020.

    nearness = exp(logit_scale) <image(x; level), text>       both features of length 1, the scale learnt, 100 at most

The image side is told the noise, as that of GLIDE's CLIP is (Nichol et al. 2021, arXiv:2112.10741, sec. 2.4). The text
side is the text tower, the mean of whose tokens is projected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..conditions import Condition, Schema, Text, TextSchema
from ..core import Level
from ..errors import UsageError
from .encoder import ImageEncoderConfig, Reads, encoder
from .tower import TextTower, TowerConfig

START, MOST = 1 / 0.07, 100.0  # of the scale, the paper's (sec. 2.5)


@dataclass(frozen=True)
class ClipConfig(Reads):
    image: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    tower: TowerConfig = field(default_factory=lambda: TowerConfig(dim=128, head=32))
    features: int = 128  # that image and text have in common

    def __post_init__(self) -> None:
        if self.features < 1:
            raise UsageError(f"features must be at least 1, got {self.features}")


class Clip(nn.Module):
    """Raises UsageError for a schema of anything but texts."""

    def __init__(self, config: ClipConfig, schema: Schema) -> None:
        super().__init__()
        if not isinstance(schema, TextSchema):
            raise UsageError("CLIP compares pictures with texts: give it a text schema")
        self.config, self.schema = config, schema
        self.image = encoder(config.image)
        self.tower = TextTower(config.tower, schema.vocab, schema.length)
        self.head = nn.ModuleList(nn.Linear(d, config.features, False) for d in (self.image.features, config.tower.dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(START)))

    def encode(self, condition: Condition) -> Tensor:
        """The features [B, D] of texts."""
        self.schema.check(condition)
        return self.text(condition)  # type: ignore[arg-type]  # as has been checked

    def text(self, text: Text) -> Tensor:
        tokens, mask = self.tower(text.ids, text.mask), text.mask[..., None]
        return normalize(self.head[1]((tokens * mask).sum(1) / mask.sum(1)).float(), dim=1)

    def picture(self, x: Tensor, level: Level) -> Tensor:
        """The features [B, D] of noisy pictures."""
        return normalize(self.head[0](self.image(x, level)).float(), dim=1)

    @property
    def scale(self) -> Tensor:
        return self.logit_scale.exp().clamp(max=MOST)

    def forward(self, x: Tensor, level: Level, text: Tensor) -> Tensor:
        """How near [B] pictures and texts, by their features [B, D], are."""
        return self.scale * (self.picture(x, level) * text).sum(1)
