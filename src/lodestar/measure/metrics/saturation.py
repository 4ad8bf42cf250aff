"""Saturation of pixels, which grows when guidance is too strong. Two numbers of every picture, both from 0 to 1.

    saturation = mean over pixels of (max - min) / max of the three channels, 0 for black: S of HSV (Smith 1978,
                 "Color gamut transform pairs", SIGGRAPH); Sadat et al. 2024, arXiv:2410.02416, report one of samples
    clipped    = share of values at 0 or 255: what Saharia et al. 2022, arXiv:2205.11487, sec. 2.3, see and threshold

Neither is good or bad by itself: compare with that of real pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import UsageError


def saturation(images: Tensor) -> Tensor:
    """Mean S of HSV, float64 [B], of pictures uint8 [B, 3, H, W]."""
    _check(images)
    if images.shape[1] != 3:
        raise UsageError(f"saturation is of pictures with 3 channels, got {list(images.shape)}")
    most, least = images.amax(1).double(), images.amin(1).double()
    return ((most - least) / most.clamp(min=1)).mean((1, 2))


def clipped(images: Tensor) -> Tensor:
    """Share of values that are 0 or 255, float64 [B], of pictures uint8 [B, C, H, W]."""
    _check(images)
    return ((images == 0) | (images == 255)).double().mean((1, 2, 3))


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.dtype != torch.uint8:
        raise UsageError(f"pixels must be uint8 [B, C, H, W], got {images.dtype} {list(images.shape)}")
