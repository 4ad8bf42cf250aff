"""Whether pictures are what was asked, said by whoever can tell: the reader of scenes, a detector's classes, CLIP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..data.scenes.source import LEAST, MOST
from .features import Clip, Detector, Seen
from .metrics import clip_score
from .metrics.accuracy import right
from .prompts import prompt_truth, readable


def judged(detector: Detector, images: Tensor, asked: Sequence[object], seen: Seen) -> dict[str, Tensor]:
    """Of pictures uint8 [B, C, H, W] and what each was asked to be: numbers [B] by the name of their metric."""
    texts = [text for text in asked if isinstance(text, str)]
    if len(texts) < len(images):
        return {}
    found = {}
    if _square(images) and readable(texts):
        wrong = prompt_truth(images.movedim(1, -1), texts)
        found["prompt accuracy"] = torch.tensor([w is None for w in wrong])
    classes = _classes(detector)
    if set(texts) <= set(classes):
        [log_p] = seen.log_p.values()
        found["class accuracy"] = right(log_p.cpu(), torch.tensor([classes.index(text) for text in texts]))
    if isinstance(detector, Clip):
        found["CLIP score"] = clip_score(seen.features, detector.text(texts))
    return found


def _square(images: Tensor) -> bool:
    """Whether the reader of scenes reads pictures of this size."""
    channels, height, width = images.shape[1:]
    return channels == 3 and height == width and LEAST <= height <= MOST


def _classes(detector: Detector) -> list[str]:
    """What a detector of one question tells apart; nothing of others."""
    known = getattr(detector, "classes", {})
    return list(*known.values()) if len(known) == 1 else []
