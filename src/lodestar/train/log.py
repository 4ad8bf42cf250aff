"""The log of a run: one JSON object a line, always; TensorBoard too where it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from ..files import write_file, writing


class Log:
    """`log.jsonl` in the folder of a run. A resumed run goes on at its checkpoint: later lines are dropped.

    Every line has the seconds of the run so far. What a kill has undone does not count.
    """

    def __init__(self, folder: Path, steps: int = 0, *, enabled: bool = True) -> None:
        self.path = folder / "log.jsonl"
        self._board = None
        self.enabled = enabled
        self._before, self._start = 0.0, monotonic()
        if enabled:
            kept = list(_until(self.path, steps))
            self._before = json.loads(kept[-1]).get("seconds", 0.0) if kept else 0.0
            write_file(self.path, b"".join(kept))
            self._board = _tensorboard(folder / "tensorboard", steps)

    @property
    def seconds(self) -> float:
        """Of the run so far, in all its parts."""
        return self._before + monotonic() - self._start

    def write(self, steps: int, **values: object) -> None:
        """A line of what was found after so many steps."""
        if not self.enabled:
            return
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": steps, **values, "seconds": round(self.seconds, 1)}) + "\n")
        for name, value in _numbers(values):
            if self._board is not None:
                self._board.add_scalar(name, value, steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._board is not None:
            self._board.close()


def _until(path: Path, steps: int) -> Iterator[bytes]:
    """The whole lines of a log that are not later than these steps."""
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        try:
            if line.endswith(b"\n") and json.loads(line)["step"] <= steps:
                yield line
        except (ValueError, KeyError, TypeError):
            continue


def _tensorboard(folder: Path, steps: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=steps or None)


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, value
