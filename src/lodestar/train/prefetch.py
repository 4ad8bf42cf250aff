"""The next batches, made in the background while the present one is trained on. Order and content do not change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import TypeVar

from ..errors import UsageError

T = TypeVar("T")


@contextmanager
def prefetch(items: Callable[[], Iterator[T]], depth: int = 4) -> Iterator[Iterator[T]]:
    """Iterates over items() in a thread that stays up to `depth` ahead. What it raises is raised where it is missed."""
    queue: Queue[tuple[T | None, BaseException | None]] = Queue(depth)
    over = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, queue, over), name="lodestar-data", daemon=True)
    thread.start()
    try:
        yield _taken(queue)
    finally:
        over.set()
        thread.join(timeout=10)  # seconds; it may hang in a download


def _taken(queue: Queue[tuple[T | None, BaseException | None]]) -> Iterator[T]:
    while True:
        item, error = queue.get()
        if error is not None:
            raise error
        yield item  # type: ignore[misc]


def _fill(items: Callable[[], Iterator[T]], queue: Queue, over: threading.Event) -> None:
    try:
        for item in items():
            if not _put(queue, (item, None), over):
                return
        _put(queue, (None, UsageError("the data ran out: a source gives batches without end")), over)
    except BaseException as error:  # it belongs to the thread that waits for the item
        _put(queue, (None, error), over)


def _put(queue: Queue, entry: tuple, over: threading.Event) -> bool:
    """False if nobody wants it any more."""
    while not over.is_set():
        try:
            queue.put(entry, timeout=0.1)
            return True
        except Full:
            continue
    return False
