"""Whether pictures are what was asked, said by whoever can tell: the reader of scenes, a detector's classes, CLIP.

Of an instruction and the picture that it is about, the reader tells whether it was followed, and all else left alone.

A detector of scenes answers several questions: a picture is of the class asked for if all that its prompt says is what
the detector finds likeliest. It forgives pictures that the strict reader does not, as of 16 pixels a side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from ..data.scenes.answers import QUESTIONS
from ..data.scenes.answers import answers as scene_answers
from ..pictures import to_uint8
from .edits import read_edits
from .features import Clip, Detector, Seen
from .metrics import clip_score
from .metrics.accuracy import right
from .prompts import legible, prompt_truth, readable

SURE = 24  # pixels a side, below which the reader takes some true pictures for none of its world


def judged(detector: Detector, images: Tensor, asked: Sequence[object], seen: Seen) -> dict[str, Tensor]:
    """Of pictures uint8 [B, C, H, W] and what each was asked to be: numbers [B] by the name of their metric."""
    if images.shape[-1] >= SURE and all(map(_is_edit, asked)):
        return _edited(images, cast("Sequence[Mapping[str, Any]]", asked))
    texts = [text for text in asked if isinstance(text, str)]
    if len(texts) < len(images):
        return {}
    found = {}
    if legible(last := images.movedim(1, -1), texts):
        wrong = prompt_truth(last, texts)
        found["prompt accuracy"] = torch.tensor([w is None for w in wrong])
    answers = _answers(detector, texts)
    if answers is not None:
        found["class accuracy"] = torch.stack([_told(q, answers, seen, detector) for q in seen.log_p]).all(0)
    if isinstance(detector, Clip):
        found["CLIP score"] = clip_score(seen.features, detector.text(texts))
    return found


def _is_edit(asked: object) -> bool:
    """Whether it is an instruction and the picture [C, H, W] in [-1, 1] that it is about."""
    if not isinstance(asked, Mapping) or set(asked) != {"text", "image"}:
        return False
    return isinstance(asked["text"], str) and isinstance(asked["image"], Tensor)


def _edited(images: Tensor, asked: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Whether each is followed, and leaves all else alone; nothing where a picture to be edited is no scene."""
    before = to_uint8(torch.stack([each["image"] for each in asked]))
    found = read_edits(before, images, [each["text"] for each in asked])
    if found is None:
        return {}
    return {"edit accuracy": torch.tensor(found.right), "untouched": torch.tensor(found.left_alone)}


def _answers(detector: Detector, texts: Sequence[str]) -> Sequence[Mapping[str, str]] | None:
    """What each text says by the detector's questions; None where it is asked other things."""
    known: Mapping[str, Sequence[str]] = getattr(detector, "classes", {})
    if len(known) == 1:
        [(question, classes)] = known.items()
        return [{question: text} for text in texts] if set(texts) <= set(classes) else None
    return [scene_answers(text) for text in texts] if set(known) == set(QUESTIONS) and readable(texts) else None


def _told(question: str, answers: Sequence[Mapping[str, str]], seen: Seen, detector: Detector) -> Tensor:
    """Whether, bool [B], the likeliest answer is the one asked for, or none was."""
    classes = list(detector.classes[question])  # type: ignore[attr-defined]
    asked = torch.tensor([classes.index(each[question]) if question in each else -1 for each in answers])
    return right(seen.log_p[question].cpu(), asked.clamp(min=0)) | (asked < 0)
