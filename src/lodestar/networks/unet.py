"""A U-Net for 16 to 64 pixels: text by cross-attention, labels, vectors and noise level by modulation, images by
convolution beside the noisy picture.

Raw network: F(x, level, context) -> [B, C, H, W] in whatever kind the model declares, or several of these by name where
it has an inner head. Each level of the U-Net halves the side; the lower ones may hold transformer blocks, where pixels
are few and thinking is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..conditions import (
    Condition,
    Image,
    ImageSchema,
    Joint,
    JointSchema,
    Label,
    LabelSchema,
    Schema,
    Text,
    TextSchema,
    Vector,
    VectorSchema,
    singles,
)
from ..core import Level, per_sample
from ..errors import UsageError
from .hooks import hooked
from .layers import LevelEmbedding, Modulation, Norm, ResBlock, SpatialTransformer, c_in
from .tower import TextTower, TowerConfig


@dataclass(frozen=True)
class UNetConfig:
    in_channels: int = 3
    channels: tuple[int, ...] = (32, 64, 192)  # per level, finest first
    blocks: int = 1  # residual blocks per level and side
    transformers: tuple[int, ...] = (0, 0, 3)  # transformer blocks per level, at the end of each side
    patch: int = 1  # pixels folded into channels on the way in
    head: int = 48  # channels an attention head
    vector: int = 256  # width of the modulation vector
    tower: TowerConfig = field(default_factory=TowerConfig)  # for text models
    inner: int = 0  # stages from the lowest one up, after which an inner head says the same; 0: no such head

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.transformers) or not self.channels:
            raise UsageError(
                f"channels and transformers must be one for each level, got {self.channels} and {self.transformers}"
            )
        if min(self.patch, self.blocks, self.in_channels, self.head, self.vector, *self.channels) < 1:
            raise UsageError("in_channels, channels, blocks, patch, head and vector must be at least 1")
        for width, depth in zip(self.channels, self.transformers, strict=True):
            if depth and width % self.head:
                raise UsageError(f"{width} channels with transformers do not divide into heads of {self.head}")
        if not 0 <= self.inner < len(self.channels):
            most = f"this network has {len(self.channels)} stages on the way up, the last of them for its own head"
            raise UsageError(f"inner must be from 0 to {len(self.channels) - 1}, got {self.inner}: {most}")

    @property
    def multiple(self) -> int:
        """The side of an image must be a multiple of this."""
        return self.patch * 2 ** (len(self.channels) - 1)


# From two CPU cores to one GPU; channels of the text tower come on top.
SIZES = {
    "small": UNetConfig(channels=(24, 48, 128), transformers=(0, 0, 3), head=32),
    "medium": UNetConfig(channels=(64, 128, 256), blocks=2, transformers=(0, 1, 2), head=64, vector=384),
    "large": UNetConfig(channels=(128, 256, 448), blocks=3, transformers=(0, 2, 4), head=64, vector=512),
}


@dataclass(frozen=True)
class Context:
    """A condition as the network reads it, batch first: encoded once and kept over a trajectory."""

    vector: Tensor  # [B, D]
    tokens: Tensor | None = None  # [B, T, D]
    mask: Tensor | None = None  # [B, T], True: a token
    images: tuple[Tensor, ...] = ()  # [B, C + 1, h, w] each, of their own sizes; the last channel: 1 where there is one

    def __len__(self) -> int:
        return len(self.vector)

    def __getitem__(self, rows: Tensor | slice) -> Context:
        tokens, mask = (None if f is None else f[rows] for f in (self.tokens, self.mask))
        return Context(self.vector[rows], tokens, mask, tuple(image[rows] for image in self.images))

    @staticmethod
    def cat(parts: Sequence[Context]) -> Context:
        """The rows of all parts, in order."""
        tokens, mask = _stacked([p.tokens for p in parts], 0), _stacked([p.mask for p in parts], 0)
        images = zip(*(p.images for p in parts), strict=True)
        return Context(torch.cat([p.vector for p in parts]), tokens, mask, tuple(map(torch.cat, images)))

    @staticmethod
    def join(parts: Sequence[Context]) -> Context:
        """What several conditions of the same samples say: vectors add up, tokens and images stand side by side."""
        tokens, mask = _stacked([p.tokens for p in parts], 1), _stacked([p.mask for p in parts], 1)
        vector = torch.stack([p.vector for p in parts]).sum(0)
        return Context(vector, tokens, mask, tuple(image for p in parts for image in p.images))


def _stacked(parts: Sequence[Tensor | None], axis: int) -> Tensor | None:
    some = [p for p in parts if p is not None]
    return torch.cat(some, axis) if some else None


class Encoder(nn.Module):
    """From a condition to a Context. The schema says which kind and what its null is."""

    nothing: Tensor

    def __init__(self, config: UNetConfig, schema: Schema) -> None:
        super().__init__()
        self.schema = schema
        self.register_buffer("nothing", torch.zeros(1, config.vector), persistent=False)  # which knows the device
        if isinstance(schema, LabelSchema):
            self.labels = nn.Embedding(len(schema.classes) + 1, config.vector)  # the last row is the null
        if isinstance(schema, TextSchema):
            self.tower = TextTower(config.tower, schema.vocab, schema.length)
        if isinstance(schema, VectorSchema):
            self.linear = nn.Linear(schema.dim, config.vector)
            self.null = nn.Parameter(torch.zeros(config.vector)) if schema.null == "learnt" else None
        if isinstance(schema, JointSchema):
            self.parts = nn.ModuleList(Encoder(config, part) for part in schema.parts.values())

    def forward(self, condition: Condition | None, n: int = 1) -> Context:
        """Raises UsageError for a condition of another schema."""
        if condition is not None:
            self._check(condition)
        if isinstance(condition, Label):
            return Context(self._labels(condition.index))
        if isinstance(condition, Text):
            return self._text(condition)
        if isinstance(condition, Vector):
            return Context(self._vector(condition))
        if isinstance(condition, Image):
            return self._image(condition)
        if isinstance(condition, Joint):
            return self._joint(condition)
        return Context(self.nothing.expand(n, -1))

    def _check(self, condition: Condition) -> None:
        if self.schema is None:
            raise UsageError(f"this network is unconditional, and the condition is a {type(condition).__name__}")
        self.schema.check(condition)

    def _labels(self, index: Tensor) -> Tensor:
        vector = self.labels(index.where(index >= 0, len(self.labels.weight) - 1))
        return vector if self._null_is("learnt") else vector * (index >= 0)[:, None]

    def _text(self, text: Text) -> Context:
        """Tokens alone, and no pooled text in the vector: from a bag of words a network soon knows what is in a
        picture, and then gains too little from attending to which word belongs to which (docs/training.md)."""
        tokens = self.tower(text.ids, text.mask)
        if self._null_is("zeros"):
            tokens = tokens * text.present[:, None, None]
        return Context(self.nothing.expand(len(tokens), -1), tokens, text.mask)

    def _vector(self, condition: Vector) -> Tensor:
        there = condition.present[:, None]
        vector = self.linear(condition.values)  # its bias tells a vector of zeros from the null
        return vector * there if self.null is None else torch.where(there, vector, self.null.to(vector))

    def _image(self, condition: Image) -> Context:
        values, there = condition.values, condition.present[:, None, None, None]
        channel = there.to(values).expand(-1, 1, *values.shape[2:])
        return Context(self.nothing.expand(len(values), -1), images=(torch.cat([values * there, channel], 1),))

    def _joint(self, condition: Joint) -> Context:
        names = self.schema.parts  # type: ignore[union-attr]  # a joint condition is of a joint schema
        return Context.join([part(condition.parts[k]) for k, part in zip(names, self.parts, strict=True)])

    def _null_is(self, null: str) -> bool:
        return getattr(self.schema, "null", None) == null


class UNet(nn.Module):
    def __init__(self, config: UNetConfig, schema: Schema = None) -> None:
        super().__init__()
        self.config, c = config, config
        text = c.tower.dim if any(isinstance(s, TextSchema) for s in singles(schema)) else None
        if text and not any(c.transformers):
            raise UsageError("text is read by attention: transformers must be at least 1 at some level")
        self.encoder = Encoder(c, schema)
        self.level = LevelEmbedding(c.vector)
        pixels = c.in_channels * c.patch**2
        self.stem = nn.Conv2d(pixels, c.channels[0], 3, padding=1)
        self.down, self.up, self.shrink, self.grow = (nn.ModuleList() for _ in range(4))
        before = c.channels[0]
        for i, width in enumerate(c.channels):
            self.shrink.append(nn.Conv2d(before, width, 3, stride=2, padding=1) if i else nn.Identity())
            self.down.append(_Stage(c, [width] * c.blocks, width, c.transformers[i], text))
            before = width
        for i, width in reversed(list(enumerate(c.channels[:-1]))):
            self.grow.append(nn.Conv2d(before, width, 1))
            self.up.append(_Stage(c, [2 * width] + [width] * (c.blocks - 1), width, c.transformers[i], text))
            before = width
        self.norm = Norm(before)
        self.head = nn.Conv2d(before, pixels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        seen = sum(s.shape[0] + 1 for s in singles(schema) if isinstance(s, ImageSchema)) * c.patch**2
        self.beside = _Beside(c, seen) if seen else None
        self.inner = _Inner(c) if c.inner else None

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of what it puts out."""
        return ("main",) if self.inner is None else ("main", "inner")

    def encode(self, condition: Condition | None, n: int = 1) -> Context:
        """The condition as this network reads it; None is the unconditional model's, for n samples."""
        return self.encoder(condition, n)

    def hooked(self, name: str) -> UNet:
        """The same network with a change inside it, such as "pag", "seg(10)" or "skip(2)": see hooks.py."""
        return hooked(self, name, [self.encoder])

    def forward(self, x: Tensor, level: Level, context: Context) -> Tensor | dict[str, Tensor]:
        """[B, C, H, W], or that of each of its heads where it has two."""
        if x.shape[-1] % self.config.multiple or x.shape[-2] % self.config.multiple:
            raise UsageError(
                f"this network needs sides that are a multiple of {self.config.multiple}, got {list(x.shape)}"
            )
        vector = self.level(level) + context.vector  # [B, D]
        h = self.stem(F.pixel_unshuffle(x * per_sample(c_in(level), x), self.config.patch))  # [B, C0, H/p, W/p]
        if self.beside is not None and context.images:
            h = h + self.beside(context.images, x)
        skips = []
        for shrink, stage in zip(self.shrink, self.down, strict=True):
            h = stage(shrink(h), vector, context)  # [B, Ci, H/2^i, W/2^i]
            skips.append(h)
        risen = [skips.pop()]  # the lowest level is the turning point
        for grow, stage in zip(self.grow, self.up, strict=True):
            h = F.interpolate(grow(h), scale_factor=2.0)
            h = stage(torch.cat([h, skips.pop()], 1), vector, context)
            risen.append(h)
        main = F.pixel_shuffle(self.head(F.silu(self.norm(h))), self.config.patch)  # [B, C, H, W]
        return main if self.inner is None else {"main": main, "inner": self.inner(risen[self.config.inner - 1], vector)}


class _Inner(nn.Module):
    """A light head on a stage that is not the last: a modulated norm and one convolution, to all the pixels of a place.

    Internal guidance, Zhou et al. 2025, arXiv:2512.24176: theirs is the last layer once more, after 8 of 28 blocks.
    """

    def __init__(self, c: UNetConfig) -> None:
        super().__init__()
        level = len(c.channels) - c.inner
        width, self.side = c.channels[level], c.patch * 2**level  # pixels a side of a place
        self.norm = Norm(width, affine=False)  # its scale and shift are the modulation's
        self.modulation = Modulation(c.vector, width, 2)
        self.head = nn.Conv2d(width, c.in_channels * self.side**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, vector: Tensor) -> Tensor:
        scale, shift = (m[:, :, None, None] for m in self.modulation(vector))
        h = F.silu(self.norm(h) * (1 + scale) + shift)
        return F.pixel_shuffle(self.head(h), self.side)  # [B, C, H, W]


class _Beside(nn.Module):
    """The stem's share for the channels of images that stand beside the noisy one: with it, one convolution over all.

    Zero at the start, as in InstructPix2Pix (Brooks et al. 2023, arXiv:2211.09800, sec. 3.2): a network that is given
    an image to read starts from what it knew. Without a bias, so that the null, which is zeros, adds nothing.
    """

    def __init__(self, c: UNetConfig, channels: int) -> None:
        super().__init__()
        self.patch = c.patch
        self.conv = nn.Conv2d(channels, c.channels[0], 3, padding=1, bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, images: Sequence[Tensor], x: Tensor) -> Tensor:
        beside = torch.cat([_resized(i, x) for i in images], 1).to(x)  # [B, Ci, H, W]
        return self.conv(F.pixel_unshuffle(beside, self.patch))  # [B, C0, H/p, W/p]


def _resized(image: Tensor, x: Tensor) -> Tensor:
    """The image at the size of x."""
    if image.shape[2:] == x.shape[2:]:
        return image
    return F.interpolate(image, x.shape[2:], mode="bilinear", antialias=True)


class _Stage(nn.Module):
    """Residual blocks, then transformer blocks where the level has them."""

    def __init__(self, c: UNetConfig, widths: Sequence[int], out: int, depth: int, text: int | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResBlock(w, out, c.vector) for w in widths)
        self.transformer = SpatialTransformer(out, depth, c.head, c.vector, text) if depth else None

    def forward(self, h: Tensor, vector: Tensor, context: Context) -> Tensor:
        for block in self.blocks:
            h = block(h, vector)
        return h if self.transformer is None else self.transformer(h, vector, context.tokens, context.mask)
