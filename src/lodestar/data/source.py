"""What training asks of data: batches of 8-bit pictures with their captions or classes, and some held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Pictures as they are shown, and what is said of each."""

    images: Tensor  # uint8 [B, 3, H, W]
    texts: list[str] | None = None  # a caption each; "" where there is none
    labels: Tensor | None = None  # int64 [B], indices into the source's classes; -1 where there is none
    conditions: Mapping[str, Tensor] = field(default_factory=dict)  # pictures uint8 [B, C, h, w], vectors float [B, D]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> Batch:
        labels = None if self.labels is None else self.labels[rows]
        conditions = {name: values[rows] for name, values in self.conditions.items()}
        return Batch(self.images[rows], self.texts and self.texts[rows], labels, conditions)


def batch_of(pictures: Tensor, texts: list[str] | None, labels: Tensor | None, vectors: Tensor | None) -> Batch:
    """Of pictures [B, 3 or 6, H, W], the images first and what stands beside them after, and vectors [B, D]."""
    beside = {} if pictures.shape[1] == 3 else {"image": pictures[:, 3:]}
    return Batch(pictures[:, :3], texts, labels, beside if vectors is None else {**beside, "vector": vectors})


def shapes_of(resolution: int, beside: bool, dim: int | None) -> dict[str, tuple[int, ...]]:
    """The shapes of the conditions of such batches; dim is that of the vectors, None where there are none."""
    pictures: dict[str, tuple[int, ...]] = {"image": (3, resolution, resolution)} if beside else {}
    return pictures if dim is None else {**pictures, "vector": (dim,)}


class Source(Protocol):
    """An endless, repeatable stream of batches.

    A source may also have `conditions`: of what its batches carry by name, the shape of one, [C, h, w] or [D].
    """

    @property
    def resolution(self) -> int:
        """Side of the square pictures, pixels."""
        ...

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes that labels point into; None where there are no labels."""
        ...

    def texts(self, n: int) -> Iterable[str]:
        """The captions of up to n training pictures, spread over the data: what a tokenizer learns from."""
        ...

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """The batches of steps start, start + 1, ... without end; each depends on size, seed and its step alone."""
        ...

    def held_out(self, n: int) -> Batch:
        """Up to n pictures that training never sees: the same ones every time, the first of them for a smaller n."""
        ...

    def describe(self) -> dict[str, object]:
        """What is read and how, for logs and model cards: plain values that JSON can hold.

        A run goes on only with a source that describes itself as before, but for `NOTES`.
        """
        ...


def shapes(source: Source) -> Mapping[str, tuple[int, ...]]:
    """The conditions of a source by name; none if it says nothing of them."""
    return getattr(source, "conditions", {})


# What a description says of where the data lies, how it is kept and what was read of it so far.
NOTES = {"data", "every_column", "policy", "pictures", "read", "changed", "unreadable"}


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Names of what makes two descriptions those of different data: none for the same data at another place."""
    return [k for k in now if k not in NOTES and k in before and now[k] != before[k]]  # entries may have been added
