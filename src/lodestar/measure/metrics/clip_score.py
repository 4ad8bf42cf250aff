"""CLIP score: how near pictures are to their prompts. Hessel et al. 2021, arXiv:2104.08718, eq. 1.

    100 max(cos(image, text), 0)        the paper weighs with 2.5; 100 is what torchmetrics and papers print

It rises with guidance, and CLIP hardly sees which of two things has which colour: read it beside prompt accuracy.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity

from ...errors import UsageError
from .rows import check_pair

WEIGHT = 100.0


def clip_score(image: Tensor, text: Tensor, weight: float = WEIGHT) -> Tensor:
    """The score float64 [B] of each picture's features [B, D] with those [B, D] of its prompt."""
    check_pair(image, text)
    if len(image) != len(text):
        raise UsageError(
            f"CLIP scores take a prompt for each picture, got {len(image)} pictures and {len(text)} prompts"
        )
    return weight * cosine_similarity(image.double(), text.double()).clamp(min=0)
