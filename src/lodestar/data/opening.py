"""The one door to data of one's own: from a folder, a parquet file or a Hub id to a source of batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import UsageError
from .captions import Caption, refuse_missing, warn_unlisted
from .classes import Classes, declared, found
from .columns import Columns, choose
from .ledger import Ledger
from .loading import load, training_split, validation_split
from .order import held_apart
from .pictures import Pictures
from .reading import Reading
from .source import Source
from .stored import Shelf, stored
from .streamed import Streamed
from .vectors import vectors

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

_STREAM_HELD = 256  # images held out of a stream that has no validation split


def open_source(data: str | Path, resolution: int, reading: Reading | None = None) -> Source:
    """Images with their captions and classes, whatever of these there is.

    Args:
        data: a folder (of class folders, of images with metadata.jsonl or with a .txt beside each, of parquet files), a
            .parquet file, or a data set on the Hugging Face Hub, owner/name.
        resolution: side of the square pictures, pixels; `images.POLICY` says how they get there.
        reading: which split and columns, streaming, mirroring, what to hold out.

    Raises UsageError, in one line, for data that is missing, empty, damaged, or does not say which column is which.
    """
    if resolution < 1:
        raise UsageError(f"resolution must be at least 1 pixel, got {resolution}")
    opened = _open(str(data), reading or Reading())
    return opened.stream(resolution) if opened.reading.streaming else opened.store(resolution)


def _open(data: str, reading: Reading) -> _Opened:
    splits = load(data, config=reading.subset, streaming=reading.streaming, cache=reading.cache)
    name = training_split(list(splits), reading.split)
    other = validation_split(list(splits), name)
    columns = _columns(data, splits[name], reading)
    return _Opened(data, reading, splits[name], splits[other] if other else None, columns, (name, other))


@dataclass(frozen=True)
class _Opened:
    """The split to train on and the one to hold out, and what their columns mean."""

    data: str
    reading: Reading
    training: Dataset | IterableDataset
    validation: Dataset | IterableDataset | None
    columns: Columns
    names: tuple[str, str | None]  # of the two splits

    def store(self, resolution: int) -> Source:
        """A source of known size."""
        if not len(self.training):
            raise UsageError(f"'{self.data}' holds no images")
        classes = _classes(self.training, self.columns, asked=self.reading.label_column is not None)
        shelf = self._shelf(self.training, classes, resolution)
        held = None
        if self.validation is not None and len(self.validation):
            held = _shuffled(self._shelf(self.validation, classes, resolution))
        if Path(self.data).is_dir():
            self._check([s for s in (shelf, held) if s is not None])
        names = classes.names if classes else None
        return stored(shelf, held, names, flip=self.reading.flip, held=self.reading.held, facts=self.facts())

    def stream(self, resolution: int) -> Source:
        """A source that is read from its start."""
        if self.reading.flip and self.columns.caption:
            raise UsageError("captions of a stream cannot be checked for left and right beforehand: leave flip off")
        if self.reading.flip:
            raise UsageError("a stream is not mirrored: leave flip off, or streaming")
        apart = None if self.validation is not None else self.reading.held or _STREAM_HELD
        training, held = self._streams(apart)
        ledger = Ledger(self.data, None)
        named = self._declared()
        reading, facts = self.reading, {**self.facts(), "held": apart}
        return Streamed(
            training, held, self.columns, resolution, ledger, named, self._dim(), reading.buffer, reading.threads, facts
        )

    def facts(self) -> dict[str, object]:
        """What describe() says of where the data came from."""
        training, validation = self.names
        used = {"image": self.columns.image, "caption": self.columns.caption, "label": self.columns.label}
        more = {"before": self.columns.before, "vector": self.columns.vector}
        used |= {what: name for what, name in more.items() if name}  # an older run's description has neither
        where = {"data": self.data, "subset": self.reading.subset, "split": training}
        where |= {"held_out_of": validation or training}
        return {**where, "columns": used, "every_column": list(self.columns.every)}

    def _shelf(self, split: Dataset, classes: Classes | None, resolution: int) -> Shelf:
        columns = self.columns
        ledger = Ledger(self.data, len(split))
        memory, workers = self.reading.memory, self.reading.threads
        pictures = Pictures(split, columns.pictures, resolution, ledger, memory=memory, workers=workers)
        captions: list[Caption] | None = _column(split, columns.caption) if columns.caption else None
        labels = classes.encode(_column(split, columns.label)) if classes and columns.label else None
        return Shelf(pictures, torch.arange(len(split)), captions, labels, self._vectors(split))

    def _vectors(self, split: Dataset) -> Tensor | None:
        """As long in every split as in the one to train on."""
        column = self.columns.vector
        return vectors(_column(split, column), column, self._dim()) if column else None

    def _dim(self) -> int | None:
        """How many numbers a vector has: the first one's."""
        column = self.columns.vector
        if column is None:
            return None
        first = [row[column] for row in self.training.select_columns([column]).take(1)]
        return vectors(first, column).shape[1]

    def _check(self, shelves: list[Shelf]) -> None:
        paths = [path for shelf in shelves for path in shelf.pictures.paths()]
        refuse_missing(Path(self.data).resolve(), paths)
        if paths and self.columns.caption:
            warn_unlisted(Path(self.data).resolve(), paths)

    def _streams(self, apart: int | None) -> tuple[IterableDataset, IterableDataset]:
        """What is trained on and what is held out: the first few items where no split is for that."""
        from datasets import Image

        used = [self.training, *([] if self.validation is None else [self.validation])]
        raw = [s.select_columns(self.columns.used) for s in used]
        for column in self.columns.pictures:
            raw = [s.cast_column(column, Image(decode=False)) for s in raw]
        return (raw[0], raw[1]) if apart is None else (raw[0].skip(apart), raw[0].take(apart))

    def _declared(self) -> Classes | None:
        named = declared(self.training.features, self.columns.label) if self.columns.label else None
        if named is None and self.reading.label_column:
            raise UsageError(f"the classes of '{self.columns.label}' are not declared in the data: leave streaming off")
        return named


def _columns(data: str, split: Dataset | IterableDataset, reading: Reading) -> Columns:
    if split.features is None:
        raise UsageError(f"'{data}' does not declare its columns and cannot be streamed: leave streaming off")
    kinds = ("image", "caption", "label", "before", "vector")
    try:
        return choose(split.features, **{kind: getattr(reading, f"{kind}_column") for kind in kinds})
    except UsageError as error:
        raise UsageError(f"{data}: {error}") from None


def _classes(split: Dataset, columns: Columns, asked: bool) -> Classes | None:
    """The classes of the label column; none if it is a column of words of which hardly two rows share one."""
    if columns.label is None:
        return None
    known = declared(split.features, columns.label)
    if known is not None:
        return known
    classes = found(_column(split, columns.label))
    words = any(isinstance(value, str) for value in classes.index)
    return None if words and not asked and 2 * len(classes.names) > len(split) else classes


def _shuffled(shelf: Shelf) -> Shelf:
    return replace(shelf, rows=held_apart(len(shelf), len(shelf))[1])


def _column(split: Dataset, name: str) -> list[Any]:
    return list(split.select_columns([name])[:][name])
