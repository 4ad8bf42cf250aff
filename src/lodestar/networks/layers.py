"""The layers that every network here is made of. Images are [B, C, H, W] in channels-last memory, tokens [B, T, D]."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Level


def c_in(level: Level) -> Tensor:
    """What x is multiplied by, [] or [B], before a network reads it: 1 / sqrt(alpha^2 + sigma^2), and at most 1.

    EDM's c_in (Karras et al. 2022, arXiv:2206.00364, Table 1) for data of unit variance, where noise grows without end;
    exactly 1, in fp32, for processes that keep the variance or, as flow does, lose some of it on the way.
    """
    return 1 / torch.hypot(level.alpha, level.sigma).clamp(min=1)


class LevelEmbedding(nn.Module):
    """A noise level as a vector [B or 1, D]: sines and cosines of its angle arctan(sigma / alpha), then an MLP."""

    frequencies: Tensor

    def __init__(self, dim: int, bands: int = 32, fastest: float = 64.0) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(0, torch.tensor(fastest).log10().item(), bands), False)
        self.mlp = nn.Sequential(nn.Linear(2 * bands, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, level: Level) -> Tensor:
        angle = level.angle.to(self.frequencies).reshape(-1, 1) * self.frequencies
        return self.mlp(torch.cat([angle.sin(), angle.cos()], -1))


class Modulation(nn.Module):
    """`parts` vectors a sample from the conditioning vector, zero at the start (adaLN-zero: DiT, arXiv:2212.09748)."""

    def __init__(self, vector: int, dim: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(vector, dim * parts)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, vector: Tensor) -> tuple[Tensor, ...]:
        return self.linear(F.silu(vector)).chunk(self.parts, -1)  # parts x [B, D]


class ResBlock(nn.Module):
    """Two 3x3 convolutions around a modulated norm, added to the input [B, C, H, W] -> [B, D, H, W]."""

    def __init__(self, channels: int, out: int, vector: int) -> None:
        super().__init__()
        self.norm1 = Norm(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.modulation = Modulation(vector, out, 2)
        self.norm2 = Norm(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        scale, shift = (m[:, :, None, None] for m in self.modulation(vector))
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class Norm(nn.GroupNorm):
    """Groups of at least four channels, at most 16 of them: [B, C, H, W] -> the same."""

    def __init__(self, channels: int, affine: bool = True) -> None:
        super().__init__(_groups(channels), channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        if self.affine and self.weight.requires_grad and torch.is_grad_enabled() and not x.requires_grad:
            x = x.contiguous()  # from channels-last memory torch 2.13 crashes on the way back to weights alone
        return super().forward(x)


def _groups(channels: int) -> int:
    return next(g for g in (16, 8, 4, 2, 1) if channels % (g * 4) == 0 or g == 1)


class HeadNorm(nn.RMSNorm):
    """RMSNorm in the format of its input: under autocast torch's own would leave its fast path, with a warning."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys [B, T, D] -> [B, T, D]; keys and values from `context`."""

    def __init__(self, dim: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.attend: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor] = attended
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(context or dim, 2 * dim, bias=False)
        self.norm_q, self.norm_k = HeadNorm(dim // heads), HeadNorm(dim // heads)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        k, v = self.kv(x if context is None else context).chunk(2, -1)  # [B, S, D] each
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (self.q(x), k, v))  # [B, H, T, D/H]
        where = None if mask is None else mask[:, None, None, :]  # [B, 1, 1, S], True: may be attended to
        h = self.attend(self.norm_q(q), self.norm_k(k), v, where)
        return self.out(h.transpose(1, 2).flatten(2))


def attended(q: Tensor, k: Tensor, v: Tensor, where: Tensor | None) -> Tensor:
    """Attention over [B, H, T, D], written out for training in bf16 on a CPU, where going back through torch's own is
    slower than through the products that it is made of."""
    if not (q.device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=where)
    weight = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # [B, H, T, S]
    if where is not None:
        weight = weight.masked_fill(~where, torch.finfo(weight.dtype).min)
    return weight.softmax(-1) @ v


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention to the text where there is one, and an MLP, each modulated: [B, T, D]."""

    def __init__(self, dim: int, heads: int, vector: int, context: int | None, expand: int = 4) -> None:
        super().__init__()
        self.modulation = Modulation(vector, dim, 4)
        self.norm1, self.norm3 = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.attention = Attention(dim, heads)
        self.cross = Attention(dim, heads, context) if context else None
        self.norm2 = nn.LayerNorm(dim) if context else None
        if self.cross is not None:  # a network that learns to read on top of what it knows starts from what it knows
            nn.init.zeros_(self.cross.out.weight)
            nn.init.zeros_(self.cross.out.bias)
        self.mlp = nn.Sequential(
            nn.Linear(dim, expand * dim), nn.GELU(approximate="tanh"), nn.Linear(expand * dim, dim)
        )

    def forward(self, x: Tensor, vector: Tensor, context: Tensor | None, mask: Tensor | None) -> Tensor:
        scale1, shift1, scale2, shift2 = (m[:, None] for m in self.modulation(vector))
        x = x + self.attention(self.norm1(x) * (1 + scale1) + shift1)
        if self.cross is not None and self.norm2 is not None:
            x = x + self.cross(self.norm2(x), context, mask)
        return x + self.mlp(self.norm3(x) * (1 + scale2) + shift2)


class SpatialTransformer(nn.Module):
    """Transformer blocks over the pixels of a feature map, which are told where they are: [B, C, H, W] -> the same."""

    def __init__(self, channels: int, depth: int, head: int, vector: int, context: int | None) -> None:
        super().__init__()
        heads = max(1, channels // head)
        self.place = nn.Linear(16, channels)
        self.norm = Norm(channels)
        self.blocks = nn.ModuleList(TransformerBlock(channels, heads, vector, context) for _ in range(depth))
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, vector: Tensor, context: Tensor | None, mask: Tensor | None) -> Tensor:
        h = self.norm(x).flatten(2).transpose(1, 2)  # [B, HW, C]
        h = h + self.place(places(x.shape[-2], x.shape[-1], x.device, h.dtype))
        for block in self.blocks:
            h = block(h, vector, context, mask)
        return x + self.out(h).transpose(1, 2).unflatten(2, x.shape[-2:])


def places(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Where each pixel is [H W, 16]: sines and cosines of its two coordinates in [0, 1], 4 octaves from half a wave."""
    y = (torch.arange(height, device=device, dtype=dtype) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=dtype) + 0.5) / width
    at = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2, 1)
    waves = at * torch.pi * 2.0 ** torch.arange(4, device=device, dtype=dtype)
    return torch.cat([waves.sin(), waves.cos()], -1).flatten(1)
