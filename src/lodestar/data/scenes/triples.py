"""Edits of scenes as a source of training data: a picture before, an instruction, the picture after; and test triples.

Which indices are whose is as in source.py, where they are those of the scenes before.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..source import Batch
from .edits import Edits, draw
from .source import COMPOSED, SEEN, WORDS, ScenesSource, span
from .world import Ints

SAID = 2_000  # instructions that have all words, each often


@dataclass(frozen=True)
class EditsSource(ScenesSource):
    """Triples without end: the images are those after, the texts instructions, the condition `image` those before."""

    @property
    def conditions(self) -> dict[str, tuple[int, ...]]:
        return {"image": (3, self.resolution, self.resolution)}

    def texts(self, n: int) -> list[str]:
        """Up to n instructions such as training gives."""
        return instructions(draw(span(WORDS, min(n, SAID))))

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "source": "edits"}

    def tests(self, n: int, start: int = 0) -> Batch:
        """n test triples from number `start` on."""
        return self._of(triples(n, start=start))

    def _drawn(self, index: Ints) -> Batch:
        return self._of(draw(index))

    def _of(self, edits: Edits) -> Batch:
        before = {"image": self._pictures(edits.before)}
        return Batch(self._pictures(edits.after), instructions(edits), conditions=before)


def triples(n: int, composition: bool = False, start: int = 0) -> Edits:
    """n test triples from number `start` on: of combinations that training shows, or each with one it never shows."""
    return draw(span((COMPOSED if composition else SEEN) + start, n), held_out=composition)


def instructions(edits: Edits) -> list[str]:
    """Each change in words."""
    return [str(change) for change in edits.changes]
