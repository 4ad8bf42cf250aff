"""Edit accuracy: the share of pictures that follow their instruction, wholly, and leave what it does not name.

The judge is the exact reader of the scenes world and the check of data/scenes/changes.py. What an instruction has no
business with is also compared pixel by pixel: all pixels but those of the discs, REACH times 1.1 radii and HALO pixels
wide, around the object that changes, where it was and where it is read to be now; of a new background, the pixels that
lie wholly inside the objects (changes.untouched).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from ..data.scenes.changes import failure, parse, psnr, untouched
from ..data.scenes.edits import Edits
from ..data.scenes.reader import read, truth
from ..data.scenes.render import render
from ..data.scenes.source import LEAST, MOST
from ..errors import UsageError
from ..pictures import from_uint8
from ..request import Guidance
from ..samplers import Sampler
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
        return Share(sum(w is None for w in self.wrong), len(self.wrong))

    @property
    def by_kind(self) -> dict[str, Share]:
        """The accuracy of each kind of change."""
        every, right = Counter(self.kinds), Counter(k for k, w in zip(self.kinds, self.wrong, strict=True) if w is None)
        return {kind: Share(right[kind], every[kind]) for kind in sorted(every)}

    @property
    def failures(self) -> dict[str, int]:
        """What was wrong first, commonest first."""
        return dict(Counter(w for w in self.wrong if w is not None).most_common())

    @property
    def kept(self) -> Share:
        """How many left what they should at CLEAN dB or better."""
        known = self._known
        return Share(sum(v >= CLEAN for v in known), len(known))

    @property
    def both(self) -> Share:
        """How many are right and left what they should at CLEAN dB or better."""
        pairs = zip(self.wrong, self.psnr, strict=True)
        return Share(sum(w is None and not v < CLEAN for w, v in pairs), len(self.wrong))

    @property
    def median_psnr(self) -> float:
        """dB; infinite where more than half changed nothing there."""
        return median(self._known)

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

    @property
    def _known(self) -> list[float]:
        return [v for v in self.psnr if v == v]


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
    was, now = before.numpy(), after.cpu().contiguous().numpy()
    rows = list(zip(truth(edits.before), edits.changes, read(now), strict=True))
    wrong = [failure(b, change, a) for b, change, a in rows]
    where = [untouched(b, change, a, was.shape[-1]) for b, change, a in rows]
    noise = [psnr(b, a, left) for b, a, left in zip(was, now, where, strict=True)]
    return Edited(wrong, [change.kind for change in edits.changes], noise, evaluations)


def edit_truth(before: Tensor, after: Tensor, instruction: str) -> list[str | None] | None:
    """What is wrong first with each picture after, uint8 [B, H, W, 3], of one before [H, W, 3]; None where it follows.

    None for all where the reader cannot judge: a picture or an instruction of another world, or one that means nothing.
    """
    change = parse(instruction)
    if change is None or not LEAST <= before.shape[0] <= MOST or after.shape[1:] != before.shape:
        return None
    shown = read(torch.stack([before, *after]).movedim(-1, 1).contiguous().numpy())
    if shown[0].fault is not None:
        return None
    try:
        return [failure(shown[0], change, a) for a in shown[1:]]
    except UsageError:  # the instruction is of an object that is not there
        return None


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(v, 4) for v in values]
