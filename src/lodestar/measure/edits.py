"""Edit accuracy: the share of pictures that follow their instruction, wholly, and leave what it does not name.

The judge is the exact reader of the scenes world and the check of data/scenes/changes.py. What an instruction has no
business with is also compared pixel by pixel: all pixels but those of the discs, REACH times 1.1 radii and HALO pixels
wide, around the object that changes, where it was and where it is read to be now; of a new background, the pixels that
lie wholly inside the objects (changes.untouched).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from math import isfinite
from operator import and_
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from ..data.scenes.changes import Change, failure, parse, psnr, untouched
from ..data.scenes.edits import Edits
from ..data.scenes.reader import Reading, read, truth
from ..data.scenes.render import render
from ..errors import UsageError
from ..pictures import from_uint8
from ..request import Guidance
from ..samplers import Sampler
from .prompts import fits
from .share import Samplable, Share

CLEAN = 30.0  # dB: what differs less is hardly seen


class Editor(Samplable, Protocol):
    """That, and the shape of its pictures."""

    @property
    def shape(self) -> tuple[int, int, int]: ...


@dataclass(frozen=True)
class Edited:
    """How edits came out."""

    wrong: Sequence[str | None]  # what is wrong first with each picture; None: nothing
    kinds: Sequence[str]  # of each change
    psnr: Sequence[float]  # dB, of what each should have left alone; nan where there is no such pixel
    evaluations: float = 0.0  # network rows per picture

    @property
    def accuracy(self) -> Share:
        return Share(sum(self.right), len(self.wrong))

    @property
    def by_kind(self) -> dict[str, Share]:
        """The accuracy of each kind of change."""
        every, right = Counter(self.kinds), Counter(compress(self.kinds, self.right))
        return {kind: Share(right[kind], every[kind]) for kind in sorted(every)}

    @property
    def failures(self) -> dict[str, int]:
        """What was wrong first, commonest first."""
        return dict(Counter(w for w in self.wrong if w is not None).most_common())

    @property
    def right(self) -> list[bool]:
        """Of each picture, whether it follows its instruction."""
        return [w is None for w in self.wrong]

    @property
    def left_alone(self) -> list[bool]:
        """Of each picture, whether it left what it should at CLEAN dB or better; also where there is no such pixel."""
        return [not v < CLEAN for v in self.psnr]

    @property
    def kept(self) -> Share:
        """How many left what they should at CLEAN dB or better."""
        return Share(sum(self.left_alone), len(self.psnr))

    @property
    def both(self) -> Share:
        """How many are right and left what they should at CLEAN dB or better."""
        return Share(sum(map(and_, self.right, self.left_alone)), len(self.wrong))

    @property
    def median_psnr(self) -> float:
        """dB; infinite where more than half changed nothing there."""
        return median(v for v in self.psnr if v == v)

    def describe(self) -> dict[str, object]:
        """Plain values, shares to four digits."""
        return {
            "accuracy": round(self.accuracy.share, 4),
            "accuracy_95": _rounded(self.accuracy.interval),
            "by_kind": {kind: round(found.share, 4) for kind, found in self.by_kind.items()},
            "failures": self.failures,
            "untouched_psnr_median": round(self.median_psnr, 2) if isfinite(self.median_psnr) else None,
            "untouched_30_db": round(self.kept.share, 4),
            "untouched_30_db_95": _rounded(self.kept.interval),
            "edits": len(self.wrong),
            "evaluations": self.evaluations,
        }


def measure_edits(
    model: Editor,
    edits: Edits,
    guidance: Guidance | None = None,
    sampler: Sampler | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    batch: int = 25,
) -> Edited:
    """One edit of each scene, with the seeds seed, seed + 1, ..., so that they are independent.

    `batch` is the most of them in one forward pass. None leaves a choice to the model's defaults.
    """
    if not len(edits):
        raise UsageError("measuring takes at least one edit, got none")
    before = torch.from_numpy(render(edits.before, model.shape[-1]))
    prompts: list[Mapping[str, object]] = [
        {"text": str(change), "image": image} for change, image in zip(edits.changes, from_uint8(before), strict=True)
    ]
    seeds = range(seed, seed + len(edits))
    got = model.sample(prompts, n=1, guidance=guidance, sampler=sampler, steps=steps, seed=seeds, batch=batch)
    return judge(edits, before, got.images.movedim(-1, 1), got.evaluations / len(edits))


def judge(edits: Edits, before: Tensor, after: Tensor, evaluations: float = 0.0) -> Edited:
    """How the pictures after came out, both uint8 [B, 3, H, W]."""
    return replace(_edited(truth(edits.before), edits.changes, before, after), evaluations=evaluations)


def read_edits(before: Tensor, after: Tensor, instructions: Sequence[str]) -> Edited | None:
    """How the pictures after came out, each beside its own one before, uint8 [B, 3, H, W], which is read as well.

    None where the reader cannot judge all of them: a picture or an instruction of another world, or one that means
    nothing.
    """
    changes = [change for text in instructions if (change := parse(text)) is not None]
    channels, height, width = before.shape[1:]
    if len(changes) < len(instructions) or after.shape != before.shape or not fits(height, width, channels):
        return None
    once, which = before.cpu().unique(dim=0, return_inverse=True)
    shown = read(once.numpy())
    if any(each.fault is not None for each in shown):
        return None
    try:
        return _edited([shown[i] for i in which.tolist()], changes, before, after)
    except UsageError:  # an instruction is of an object that is not there
        return None


def _edited(shown: Sequence[Reading], changes: Sequence[Change], before: Tensor, after: Tensor) -> Edited:
    was, now = (pictures.cpu().contiguous().numpy() for pictures in (before, after))
    rows = list(zip(shown, changes, read(now), strict=True))
    wrong = [failure(b, change, a) for b, change, a in rows]
    where = [untouched(b, change, a, was.shape[-1]) for b, change, a in rows]
    noise = [psnr(b, a, left) for b, a, left in zip(was, now, where, strict=True)]
    return Edited(wrong, [change.kind for change in changes], noise)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(v, 4) for v in values]
