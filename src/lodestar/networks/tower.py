"""The text tower: trained jointly with the network that reads it, from token ids to context.

Embedding, then convolutions over neighbouring tokens, then self-attention. Which adjective belongs to which noun is a
matter of neighbours, so the convolutions can tell before attention has learnt where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from .layers import Attention


@dataclass(frozen=True)
class TowerConfig:
    """How many tokens there are, and how many a text has, is the schema's to say."""

    dim: int = 192
    convolutions: int = 2
    depth: int = 1  # self-attention blocks
    head: int = 48  # channels a head
    former: ClassVar = ("vocab", "length")

    def __post_init__(self) -> None:
        if min(self.dim, self.head) < 1 or min(self.convolutions, self.depth) < 0:
            raise UsageError(f"a text tower's sizes must be at least 1, got {self}")
        if self.depth and self.dim % self.head:
            raise UsageError(f"a text tower of {self.dim} channels does not divide into heads of {self.head}")


class TextTower(nn.Module):
    """Token ids and mask [B, T] -> tokens [B, T, D], of a vocabulary and of texts of one length, padding included."""

    def __init__(self, config: TowerConfig, vocab: int, length: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, config.dim)
        self.place = nn.Parameter(torch.randn(length, config.dim) * 0.02)
        self.convolutions = nn.ModuleList(TokenConvolution(config.dim) for _ in range(config.convolutions))
        self.blocks = nn.ModuleList(TowerBlock(config.dim, config.dim // config.head) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim)
        nn.init.normal_(self.embed.weight, std=0.5)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        h = self.embed(ids) + self.place[: ids.shape[1]]  # [B, T, D]
        h = h * mask[..., None]  # padding must not leak into its neighbours
        for convolution in self.convolutions:
            h = convolution(h, mask)
        for block in self.blocks:
            h = block(h, mask)
        return self.norm(h)


class TokenConvolution(nn.Module):
    """A residual convolution over five neighbouring tokens."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv1d(dim, dim, 5, padding=2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # [B, T, D], bool [B, T]
        h = self.conv((self.norm(x) * mask[..., None]).transpose(1, 2)).transpose(1, 2)
        return x + F.gelu(h, approximate="tanh") * mask[..., None]


class TowerBlock(nn.Module):
    """Self-attention and MLP over the tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(approximate="tanh"), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # [B, T, D], bool [B, T]
        x = x + self.attention(self.norm1(x), None, mask)
        return x + self.mlp(self.norm2(x))
