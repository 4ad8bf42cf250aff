"""The embedded world as a source of training data, and its test prompts: which indices are whose.

0 ...          held-out scenes, for the validation loss
1 x 2^32 ...   test prompts of combinations that training shows
2 x 2^32 ...   test prompts, each with a combination that training never shows
3 x 2^32 ...   captions for the tokenizer
k x 2^40 ...   training; k >= 1 is a hash of the seed
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from ..source import Batch
from .captions import captions
from .render import render
from .world import BACKGROUNDS, COLOURS, COUNTS, HELD_OUT, SHAPES, Ints, Scenes, draw, uniform

VALIDATION, SEEN, COMPOSED, WORDS, TRAINING = 0, 1 << 32, 2 << 32, 3 << 32, 1 << 40
LEAST, MOST = 16, 128  # pixels a side
TOGETHER = 512  # scenes drawn in one go, for speed alone


@dataclass(frozen=True)
class ScenesSource:
    """Captioned scenes without end; those with a held-out combination never come."""

    resolution: int = 32  # pixels a side

    def __post_init__(self) -> None:
        if not LEAST <= self.resolution <= MOST:
            raise UsageError(f"scenes are {LEAST} to {MOST} pixels a side, got {self.resolution}")

    @property
    def classes(self) -> None:
        """Scenes have captions, no classes."""
        return None

    def texts(self, n: int) -> list[str]:
        """n captions such as training shows."""
        return captions(draw(span(WORDS, n)))

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Batches of steps start, start + 1, ... without end; each is a function of (size, seed, step)."""
        ahead = max(1, TOGETHER // size)  # steps
        for first in count(_training(seed) + start * size, ahead * size):
            drawn = self._drawn(span(first, ahead * size))
            for i in range(0, ahead * size, size):
                yield drawn[i : i + size]

    def held_out(self, n: int) -> Batch:
        """The first n validation scenes, of the same distribution as training."""
        return self._drawn(span(VALIDATION, n))

    def describe(self) -> dict[str, object]:
        """The world's content, for the model card."""
        return {
            "source": "scenes",
            "resolution": self.resolution,
            "shapes": list(SHAPES),
            "colours": list(COLOURS),
            "backgrounds": list(BACKGROUNDS),
            "objects": list(range(1, len(COUNTS) + 1)),
            "held_out_combinations": [" ".join(pair) for pair in HELD_OUT],
        }

    def _drawn(self, index: Ints) -> Batch:
        """The scenes with these indices."""
        scenes = draw(index)
        return Batch(self._pictures(scenes), captions(scenes))

    def _pictures(self, scenes: Scenes) -> Tensor:
        """uint8 [N, 3, H, W]."""
        return torch.from_numpy(render(scenes, self.resolution))


def prompts(n: int, composition: bool = False, start: int = 0) -> list[str]:
    """n test prompts from number `start` on: of combinations that training shows, or each with one it never shows."""
    return captions(draw(span((COMPOSED if composition else SEEN) + start, n), held_out=composition))


def _training(seed: int) -> int:
    """Where the scenes of this seed begin. Two seeds' scenes are apart, but for a collision of hashes in 2^22."""
    bits = np.array([seed % 2**64], dtype=np.uint64).view(np.int64)  # any whole number is a seed
    stream = uniform(bits, 7)[0]
    return TRAINING * (1 + int(stream * (1 << 22)))


def span(first: int, n: int) -> Ints:
    return np.arange(first, first + n, dtype=np.int64)
