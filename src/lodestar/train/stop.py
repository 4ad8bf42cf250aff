"""Ctrl-C and SIGTERM: finish the step, save, and end. A second Ctrl-C ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Which signal asked to stop, if any."""

    asked: str | None = None


@contextmanager
def stopping(say: Callable[[str], None]) -> Iterator[Stop]:
    """Listens while the block runs; the handlers of before come back after it. Does nothing outside the main thread."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    voices: list[threading.Thread] = []

    def asked(number: int, _: FrameType | None) -> None:
        stop.asked = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not here: the main thread may be in the middle of a print, which cannot be entered twice.
        text = f"{stop.asked}: saving after this step (Ctrl-C again ends at once, without saving)"
        voices.append(threading.Thread(target=say, args=(text,)))
        voices[-1].start()

    before = {s: signal.signal(s, asked) for s in _SIGNALS}
    try:
        yield stop
    finally:
        for voice in voices:
            voice.join()
        for s, handler in before.items():
            signal.signal(s, handler)
