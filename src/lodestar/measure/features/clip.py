"""CLIP's projected features of pictures and of texts. Radford et al. 2021, arXiv:2103.00020.

As a detector Jayasumana et al. 2024, arXiv:2401.09603; with the texts' features it gives CLIP scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .detector import digest
from .pretrained import pretrained
from .resize import BICUBIC, CLIP, normalised, resized

HUB = "openai/clip-vit-large-patch14"
LETTERS = {768: "b", 1024: "l", 1280: "h"}  # by width


@dataclass(frozen=True, eq=False)
class Clip:
    network: Any
    tokenizer: Any
    digest: str
    resize: str = BICUBIC

    @classmethod
    def load(cls, source: Path | str = HUB, hub: bool = False, device: torch.device | str = "cpu") -> Clip:
        """From a folder, or from the hub. Raises UsageError where that cannot be."""
        network = pretrained("CLIPModel", source, hub, device)
        return cls(network, pretrained("CLIPTokenizerFast", source, hub, device), digest(network.state_dict()))

    @property
    def dim(self) -> int:
        return int(self.network.config.projection_dim)

    @property
    def name(self) -> str:
        vision = self.network.config.vision_config
        return f"clip-{LETTERS.get(vision.hidden_size, vision.hidden_size)}{vision.patch_size}"

    @property
    def size(self) -> tuple[int, int, int]:
        side = int(self.network.config.vision_config.image_size)
        return (3, side, side)

    def __call__(self, images: Tensor) -> Tensor:
        pixels = resized(images.to(self.network.device), *self.size[1:])
        hidden = self.network.vision_model(pixel_values=normalised(pixels, CLIP)).pooler_output
        return self.network.visual_projection(hidden)

    @torch.inference_mode()
    def text(self, prompts: Sequence[str]) -> Tensor:
        """The features float [B, D] of texts; what is longer than CLIP reads is cut off."""
        most = self.network.config.text_config.max_position_embeddings
        told = self.tokenizer(list(prompts), padding=True, truncation=True, max_length=most, return_tensors="pt")
        ids, mask = (told[k].to(self.network.device) for k in ("input_ids", "attention_mask"))
        hidden = self.network.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return self.network.text_projection(hidden)
