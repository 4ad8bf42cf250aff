"""Pictures at the size that a network reads: bicubic, with the low-pass that shrinking needs, as EDM2 does for DINOv2.

Parmar et al. 2022, arXiv:2104.11222: a resize without it moves FID by more than models differ. Inception-v3 is the
exception: its distance is defined by TensorFlow 1's own bilinear resize, which has none.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

BICUBIC = "bicubic-antialias"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of colours from 0 to 1
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """uint8 [B, C, H, W] to fp32 [B, C, height, width] from 0 to 255; of that size already, the same values."""
    if tuple(images.shape[-2:]) == (height, width):
        return images.float()
    return interpolate(images.float(), (height, width), mode="bicubic", antialias=True).clamp(0, 255)


def normalised(pixels: Tensor, colours: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    mean, deviation = (torch.tensor(c, device=pixels.device)[:, None, None] for c in colours)
    return (pixels / 255 - mean) / deviation
