"""Pictures changed at random before a network sees them, in ways that do not change what they show.

    shift     by up to so many pixels along each axis, the border reflected
    cutout    a grey square of this side over any of its pixels: DeVries & Taylor 2017, arXiv:1708.04552

What is drawn is the picture's own: a function of (seed, step, place in the batch). Mirroring is the data's to offer
(`flip`), which knows whether its captions speak of left and right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..errors import UsageError

GREY = 128


@dataclass(frozen=True)
class Augment:
    shift: int = 0  # pixels at most, each way
    cutout: int = 0  # pixels a side

    def __post_init__(self) -> None:
        if min(self.shift, self.cutout) < 0:
            raise UsageError(f"shift and cutout must be at least 0 pixels, got {self.shift} and {self.cutout}")

    def __call__(self, images: Tensor, chances: Sequence[Generator]) -> Tensor:
        """The same of images uint8 [B, C, H, W], with a generator each."""
        if self.shift:
            by = torch.stack([torch.randint(-self.shift, self.shift + 1, (2,), generator=g) for g in chances])
            images = shifted(images, by)
        if self.cutout:
            at = torch.stack([torch.rand(2, generator=g) for g in chances]) * torch.tensor(images.shape[2:])
            images = images.masked_fill(square(images, at.long(), self.cutout), GREY)
        return images

    def check(self, resolution: int) -> None:
        """Raises UsageError where a picture is too small for it."""
        if self.shift >= resolution:
            raise UsageError(f"pictures of {resolution} pixels cannot be shifted by {self.shift}: give fewer")


def shifted(images: Tensor, by: Tensor) -> Tensor:
    """Each of images [B, C, H, W] moved by its own pixels int64 [B, 2] down and right, the border reflected."""
    rows, columns = (reflected(torch.arange(n) - by[:, i, None], n) for i, n in enumerate(images.shape[2:]))
    which = torch.arange(len(images))[:, None, None]
    return images[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def reflected(places: Tensor, n: int) -> Tensor:
    """Places less than n outside of 0 .. n - 1, thrown back at the first and the last."""
    return (n - 1) - ((n - 1) - places.abs()).abs()


def square(images: Tensor, at: Tensor, side: int) -> Tensor:
    """bool [B, 1, H, W]: a square of this side whose middle is at [B, 2], as far as it is inside."""
    first = at - side // 2
    rows, columns = (
        (torch.arange(n) >= first[:, i, None]) & (torch.arange(n) < first[:, i, None] + side)
        for i, n in enumerate(images.shape[2:])
    )
    return (rows[:, :, None] & columns[:, None, :])[:, None]
