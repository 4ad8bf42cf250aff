"""DINOv2's class token. Oquab et al. 2023, arXiv:2304.07193; as a detector Stein et al. 2023, arXiv:2306.04675.

With ViT-L/14, at 224 pixels, FD-dinov2-l is what Karras et al. 2024, arXiv:2312.02696, call FD_DINOv2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .detector import digest
from .pretrained import pretrained
from .resize import BICUBIC, IMAGENET, normalised, resized

HUB = "facebook/dinov2-large"
LETTERS = {384: "s", 768: "b", 1024: "l", 1536: "g"}  # by width


@dataclass(frozen=True, eq=False)
class DINOv2:
    network: Any
    digest: str
    resize: str = BICUBIC
    size: tuple[int, int, int] = (3, 224, 224)

    @classmethod
    def load(cls, source: Path | str = HUB, hub: bool = False, device: torch.device | str = "cpu") -> DINOv2:
        """From a folder, or from the hub. Raises UsageError where that cannot be."""
        network = pretrained("Dinov2Model", source, hub, device)
        return cls(network, digest(network.state_dict()))

    @property
    def dim(self) -> int:
        return int(self.network.config.hidden_size)

    @property
    def name(self) -> str:
        return f"dinov2-{LETTERS.get(self.dim, self.dim)}"

    def __call__(self, images: Tensor) -> Tensor:
        pixels = resized(images.to(self.network.device), *self.size[1:])
        return self.network(pixel_values=normalised(pixels, IMAGENET)).pooler_output
