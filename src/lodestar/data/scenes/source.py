"""`scenes` as a source of training batches, and the prompts that models of it are tested with.

Indices are shared out once and for all: what a seed trains on, what is held out, and test prompts never meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..source import Batch
from .captions import captions
from .render import render
from .world import HELD_OUT, Scenes, draw

_SEEDS = 1 << 20  # training seeds that do not share scenes, with 2^40 scenes each
_HELD, _SEEN, _COMPOSED = 1 << 61, 1 << 62, (1 << 62) + (1 << 61)  # first indices of what training never sees


class ScenesSource:
    """Endless captioned scenes. `resolution` is the side of the pictures in pixels, 16 to 128."""

    classes: tuple[str, ...] | None = None

    def __init__(self, resolution: int = 32) -> None:
        self.resolution = resolution

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """The batches of steps start, start + 1, ...: scene j of step i has the index i size + j of its seed."""
        first = (seed % _SEEDS) << 40
        while True:
            yield self._batch(draw(first + start * size + np.arange(size)))
            start += 1

    def held_out(self, n: int) -> Batch:
        return self._batch(draw(_HELD + np.arange(n)))

    def texts(self, n: int) -> Iterable[str]:
        return captions(draw(np.arange(n)))

    def describe(self) -> dict[str, object]:
        apart = [f"{colour} {shape}" for colour, shape in HELD_OUT]
        return {"source": "scenes", "resolution": self.resolution, "held_out_combinations": apart}

    def _batch(self, scenes: Scenes) -> Batch:
        return Batch(torch.from_numpy(render(scenes, self.resolution)), captions(scenes))


def prompts(n: int, composition: bool = False) -> list[str]:
    """Test prompts that training never sees: with combinations it knows, or each with one that it never shows."""
    first = _COMPOSED if composition else _SEEN
    return captions(draw(first + np.arange(n), held_out=composition))
