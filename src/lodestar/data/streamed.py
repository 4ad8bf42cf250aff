"""A source that is read from its start and never stored: Hub data sets too large for this machine's disk.

The order is that of the shuffle buffer of `datasets`, seeded by (seed, epoch). To resume at a step the stream is read
again and what was seen is skipped without decoding it: exact, though it takes as long as reading does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UsageError
from .captions import Caption, each, spoken
from .classes import Classes, Value
from .columns import Columns
from .images import POLICY, Picture, Unreadable, together
from .ledger import Ledger
from .loading import explained
from .pictures import file
from .source import Batch, batch_of, shapes_of
from .vectors import vectors

if TYPE_CHECKING:
    from datasets import IterableDataset

Record = Mapping[str, object]
Read = tuple[int, Record, "Future[Picture | Unreadable]"]  # an item of an epoch, and what becomes of its picture

_AHEAD = 3  # batches being read and decoded while one is used


@dataclass(frozen=True)
class Streamed:
    """A stream of training items and a stream of held-out ones. `Source` says what the methods do."""

    training: IterableDataset
    validation: IterableDataset
    columns: Columns
    resolution: int
    ledger: Ledger
    named: Classes | None
    dim: int | None = None  # of vectors
    buffer: int = 1000  # items among which the next one is drawn
    workers: int = 2  # threads that decode
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...] | None:
        return None if self.named is None else self.named.names

    @property
    def conditions(self) -> dict[str, tuple[int, ...]]:
        return shapes_of(self.resolution, self.columns.before is not None, self.dim)

    def texts(self, n: int) -> Iterable[str]:
        caption = self.columns.caption
        if caption is None:
            return []
        records = self._some(self.training.select_columns([caption]).take(n))
        return (text for record in records for text in each(_caption(record[caption])))

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        records = islice(self._endless(seed), start * size, None)
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self.workers) as decoders:
            waiting: deque[Future[list[Read]]] = deque()
            while True:
                while len(waiting) <= _AHEAD:
                    waiting.append(reader.submit(self._read, records, size, decoders))
                batch = self._batch(waiting.popleft().result(), self.ledger)
                self.ledger.tell()
                if batch is not None:
                    yield batch

    def held_out(self, n: int) -> Batch:
        aside = Ledger(self.ledger.name, None)
        with ThreadPoolExecutor(self.workers) as decoders:
            records = ((0, record) for record in self._whole(self.validation))
            batch = self._batch(self._read(records, n, decoders), aside, fill=False)
        aside.tell()
        if batch is None:
            raise UsageError(f"{self.ledger.name}: no picture to hold out")
        return batch

    def describe(self) -> dict[str, object]:
        order = {"pictures": "streamed", "shuffle_buffer": self.buffer}
        shape = {"resolution": self.resolution, "policy": POLICY, "flip": False}
        shape["classes"] = self.classes and list(self.classes)
        return {"source": "stream", **self.facts, **order, **shape, **self.ledger.describe()}

    def _endless(self, seed: int) -> Iterator[tuple[int, Record]]:
        """The records of one epoch after the other, each with its epoch."""
        shuffled = self.training.shuffle(seed=seed % 2**64, buffer_size=self.buffer)  # numpy has no negative seeds
        for epoch in count():
            shuffled.set_epoch(epoch)
            for record in self._some(shuffled):
                yield epoch, record

    def _some(self, records: Iterable[Record]) -> Iterator[Record]:
        """These records of the training items. Raises UsageError if there are none."""
        empty = True
        for record in self._whole(records):
            empty = False
            yield record
        if empty:
            left = "no images are left to train on beside those held out"
            raise UsageError(f"{self.ledger.name}: {left}: hold out fewer with --held, or leave streaming off")

    def _whole(self, records: Iterable[Record]) -> Iterator[Record]:
        """These records. Raises UsageError where the stream is damaged or breaks off."""
        with explained(self.ledger.name):
            yield from records

    def _read(self, records: Iterator[tuple[int, Record]], size: int, decoders: ThreadPoolExecutor) -> list[Read]:
        some = islice(records, size)
        return [(epoch, r, decoders.submit(together, self._raws(r), self.resolution)) for epoch, r in some]

    def _raws(self, record: Record) -> dict[str, bytes | str | None]:
        return {column: file(record[column])[0] for column in self.columns.pictures}

    def _batch(self, read: list[Read], ledger: Ledger, fill: bool = True) -> Batch | None:
        """What cannot be read is replaced (if `fill`) by the next item of the batch that can; None if none can."""
        results = [self._booked(ledger, epoch, record, future.result()) for epoch, record, future in read]
        good = [i for i, result in enumerate(results) if isinstance(result, Picture)]
        if not good:
            return None
        chosen = [min(good, key=lambda g: (g - i) % len(read)) for i in range(len(read))] if fill else good
        pixels = [result.pixels for result in (results[i] for i in chosen) if isinstance(result, Picture)]
        return self._told(torch.stack(pixels), [read[i] for i in chosen])

    def _booked(self, ledger: Ledger, epoch: int, record: Record, result: Picture | Unreadable) -> Picture | Unreadable:
        path = file(record[self.columns.image])[1]
        if isinstance(result, Unreadable) and result.missing:
            lost_at = file(record[result.column or self.columns.image])[1]
            raise UsageError(f"{self.ledger.name}: a file named in the metadata is missing: {lost_at}")
        lost = isinstance(result, Unreadable) and path is not None and not ledger.knows(path)
        if epoch == 0 or lost:  # later epochs bring the same items again
            ledger.enter(path or f"item {ledger.seen}", result)
            ledger.check()
        return result

    def _told(self, pictures: Tensor, read: list[Read]) -> Batch:
        caption, label, vector = self.columns.caption, self.columns.label, self.columns.vector
        texts = None if caption is None else [spoken(_caption(r[caption]), epoch) for epoch, r, _ in read]
        labels = None
        if self.named is not None and label is not None:
            labels = self.named.encode(_value(r[label]) for _, r, _ in read)
        numbers = vectors([r[vector] for _, r, _ in read], vector, self.dim) if vector else None
        return batch_of(pictures, texts, labels, numbers)


def _caption(value: object) -> Caption:
    return value if isinstance(value, str | list) else None


def _value(value: object) -> Value:
    return value if isinstance(value, int | str) else None
