"""The peer: diffusers' UNet2DConditionModel behind the interface that Lodestar's loop and task ask of a network.

Everything but the U-Net is ours on both sides: text tower, tokenizer, process, loss, loop, optimizer. It is configured
as its users do for pictures of 32 pixels: three levels, cross-attention on all but the finest, and the noise level as a
timestep of 0 to 1000 (as Stable Diffusion 3 does for flows).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn

from lodestar.conditions import Condition, Schema, TextSchema
from lodestar.core import Level
from lodestar.networks.unet import Context, Encoder, UNetConfig

from .kernels import declare

TIMESTEPS = 1000.0
CLOSE = 0.05  # how far apart two networks "of as many parameters" may be


@dataclass(frozen=True)
class PeerConfig:
    widths: tuple[int, ...]  # channels per level, finest first
    layers: int  # residual blocks per level, and one more on the way up
    context: int  # width of the text tokens
    head: int = 32  # channels an attention head, about
    resolution: int = 32  # pixels


class Peer(nn.Module):
    """`encode` and forward as networks.unet.UNet has them, around diffusers' U-Net."""

    def __init__(self, config: PeerConfig, ours: UNetConfig, schema: Schema) -> None:
        super().__init__()
        self.encoder = Encoder(ours, schema)
        unet: Any = build(config)  # diffusers is not typed
        # By these names our optimizers know the first and the last layer.
        self.stem, unet.conv_in = unet.conv_in, nn.Identity()
        self.head, unet.conv_out = unet.conv_out, nn.Identity()
        self.unet = unet

    def encode(self, condition: Condition | None, n: int = 1) -> Context:
        return self.encoder(condition, n)

    def forward(self, x: Tensor, level: Level, context: Context) -> Tensor:
        timestep = (TIMESTEPS * level.sigma).to(x).expand(len(x))
        options = {"encoder_attention_mask": context.mask, "return_dict": False}
        return self.head(self.unet(self.stem(x), timestep, context.tokens, **options)[0])  # [B, C, H, W]


def build(config: PeerConfig) -> nn.Module:
    declare()
    from diffusers import UNet2DConditionModel

    deeper = len(config.widths) - 1
    unet: nn.Module = UNet2DConditionModel(
        sample_size=config.resolution,
        in_channels=3,
        out_channels=3,
        block_out_channels=config.widths,
        layers_per_block=config.layers,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * deeper),
        up_block_types=(*["CrossAttnUpBlock2D"] * deeper, "UpBlock2D"),
        cross_attention_dim=config.context,
        attention_head_dim=tuple(_heads(w, config.head) for w in config.widths),  # misnamed: it is their number
        norm_num_groups=gcd(32, *config.widths),
    )  # type: ignore[assignment]
    return unet


def _heads(width: int, head: int) -> int:
    return next(n for n in range(max(1, width // head), 0, -1) if width % n == 0)


def as_large_as(ours: nn.Module, config: UNetConfig, schema: Schema, layers: int, resolution: int) -> Peer:
    """A peer whose U-Net has as many parameters as ours, the text tower, which is the same, left out."""
    if not isinstance(schema, TextSchema):
        raise TypeError("the peer is compared on text models")
    wanted = parameters(ours) - parameters(Encoder(config, schema))
    start = PeerConfig((), layers, config.tower.dim, config.head, resolution)
    return Peer(min(_candidates(start, wanted), key=lambda c: abs(_size(c) - wanted)), config, schema)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _candidates(start: PeerConfig, wanted: int) -> Iterator[PeerConfig]:
    """Widths b, 2 b and 2 to 4 b, multiples of 8, up to the first that is too large of each b."""
    for base in range(8, 1024, 8):
        for last in range(2 * base, 4 * base + 1, 8):
            config = replace(start, widths=(base, 2 * base, last))
            yield config
            if _size(config) > wanted:
                break
        if last == 2 * base:
            return


def _size(config: PeerConfig) -> int:
    with torch.device("meta"):
        return parameters(build(config))
