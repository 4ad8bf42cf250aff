"""The pictures of one split by row: kept in memory once decoded where they fit, decoded by threads where not.

A row may have several, as before and after an edit: it is read whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .images import Picture, Unreadable, size, together
from .ledger import Ledger
from .order import spread

if TYPE_CHECKING:
    from datasets import Dataset

Pending = list[tuple[int, "Future[Picture | Unreadable] | None"]]
File = tuple[bytes | str | None, str | None]  # what to read, bytes or a path; and the path, where one is known

_AT_ONCE = 2_000_000_000  # pixels decoded when opening, some 30 seconds of one core; above, as they are needed
_UNKNOWN, _GOOD, _BAD = 0, 1, 2


class Pictures:
    """Rows of K image columns, whose pictures are read together and stacked: a row that lacks one is lost.

    `memory` is in bytes; `ledger` is told of every row once, and of one that is lost.
    """

    def __init__(
        self,
        split: Dataset,
        columns: Sequence[str],
        resolution: int,
        ledger: Ledger,
        *,
        memory: int = 0,
        workers: int = 2,
    ) -> None:
        from datasets import Image

        self.resolution = resolution
        self.ledger = ledger
        self.columns = list(columns)
        self._raw = split.select_columns(self.columns)
        for column in columns:
            self._raw = self._raw.cast_column(column, Image(decode=False))
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="lodestar-decode")
        self._state = torch.zeros(len(split), dtype=torch.uint8)
        channels = 3 * len(columns)
        fits = len(split) * channels * resolution**2 <= memory
        self._kept = torch.empty(len(split) if fits else 0, channels, resolution, resolution, dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self._state)

    @property
    def in_memory(self) -> bool:
        return len(self._kept) == len(self)

    def small(self) -> bool:
        """Whether decoding everything at once is a matter of seconds, judged by the size of 16 images."""
        rows = spread(len(self), 16).tolist()
        mean = sum(size(raw) for item in self._files(rows) for raw, _ in item.values()) / len(rows)
        return self.in_memory and mean * len(self) <= _AT_ONCE

    def decode_all(self) -> None:
        """Fill the memory. Raises UsageError as soon as more than 1 % are unreadable."""
        chunks = (list(range(i, min(i + 500, len(self)))) for i in range(0, len(self), 500))
        for rows in chunks:
            self.settle(self.ask(rows))
        self.ledger.tell()

    def ask(self, rows: Sequence[int]) -> Pending:
        """Set threads to work on these rows."""
        states = self._state[list(rows)].tolist()
        there = (_GOOD, _BAD) if self.in_memory else (_BAD,)
        wanted = [row for row, state in zip(rows, states, strict=True) if state not in there]
        raws = ({column: raw for column, (raw, _) in item.items()} for item in self._files(wanted))
        futures = (self._threads.submit(together, raw, self.resolution) for raw in raws)
        at_work = dict(zip(wanted, futures, strict=True))
        return [(row, at_work.get(row)) for row in rows]

    def at_hand(self, rows: Tensor) -> Tensor | None:
        """All of these rows at once, uint8 [B, 3 K, R, R], if memory holds them."""
        return self._kept[rows] if self.in_memory and bool((self._state[rows] == _GOOD).all()) else None

    def settle(self, pending: Pending) -> list[Tensor | None]:
        """The rows asked for, uint8 [3 K, R, R] each, None for what cannot be read. Raises UsageError over 1 %."""
        pixels = [self._one(row, future) for row, future in pending]
        self.ledger.check()
        return pixels

    def where(self, row: int) -> str:
        """How to call a row in a message: its file's name, else its number."""
        [item] = self._files([row])
        return item[self.columns[0]][1] or f"row {row}"

    def paths(self) -> list[str]:
        """The files of the rows where the data set is made of files; none where it holds the bytes itself."""
        held = [column for column, (raw, _) in self._files([0])[0].items() if isinstance(raw, bytes)]
        items = self._files(range(len(self))) if len(held) < len(self.columns) else []
        return [path for item in items for column, (_, path) in item.items() if path and column not in held]

    def _one(self, row: int, future: Future[Picture | Unreadable] | None) -> Tensor | None:
        if future is None:
            return None if self._bad(row) else self._kept[row]
        result = future.result()
        self._book(row, result)
        if isinstance(result, Unreadable):
            return None
        if self.in_memory:
            self._kept[row] = result.pixels
        return result.pixels

    def _book(self, row: int, result: Picture | Unreadable) -> None:
        state = _BAD if isinstance(result, Unreadable) else _GOOD
        if self._state[row] != state:  # at first, or when what was read before cannot be any more
            self.ledger.enter(self.where(row) if state == _BAD else "", result)
        self._state[row] = state

    def _bad(self, row: int) -> bool:
        return bool(self._state[row] == _BAD)

    def _files(self, rows: Sequence[int]) -> list[dict[str, File]]:
        """What to read of each row, by column."""
        if not len(rows):
            return []
        found = self._raw[list(rows)]
        return [
            dict(zip(self.columns, map(file, item), strict=True))
            for item in zip(*(found[c] for c in self.columns), strict=True)
        ]


def file(value: object) -> File:
    """What an undecoded image value says."""
    if not isinstance(value, dict):
        return None, None
    return value.get("bytes") or value.get("path"), value.get("path")
