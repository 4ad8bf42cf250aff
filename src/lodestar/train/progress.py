"""What is seen of a run: a bar in a terminal, plain lines elsewhere. Both on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Shown(Protocol):
    def advance(self, steps: int) -> None:
        """So many steps are done."""
        ...

    def report(self, steps: int, line: Mapping[str, float]) -> None:
        """The means of the last steps: loss, images_per_second, drop_rate, accuracy."""
        ...

    def say(self, text: str) -> None:
        """One line to the user."""
        ...


@contextmanager
def progress(total: int, first: int = 0, *, quiet: bool = False, console: Console | None = None) -> Iterator[Shown]:
    """A bar from step `first` to `total` if the console is a terminal, else lines."""
    console = console or Console(stderr=True, quiet=quiet, soft_wrap=True)
    if not console.is_terminal:
        yield Lines(console, total, first)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[means]}"), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console) as bars:
        yield Bar(bars, total, first)


class Bar:
    def __init__(self, bars: Progress, total: int, first: int) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=total, completed=first, means="")

    def advance(self, steps: int) -> None:
        self._bars.update(self._task, completed=steps)

    def report(self, steps: int, line: Mapping[str, float]) -> None:
        self._bars.update(self._task, means=means(line))

    def say(self, text: str) -> None:
        self._bars.console.print(text, highlight=False, markup=False)


class Lines:
    def __init__(self, console: Console, total: int, first: int) -> None:
        self._console, self._total, self._first, self._start = console, total, first, monotonic()

    def advance(self, steps: int) -> None:
        pass

    def report(self, steps: int, line: Mapping[str, float]) -> None:
        spent = monotonic() - self._start
        left = timedelta(seconds=round(spent / max(1, steps - self._first) * (self._total - steps)))
        self.say(f"step {steps}/{self._total}  {means(line)}  left {left}")

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


def means(line: Mapping[str, float]) -> str:
    """The numbers of a report in a few words."""
    text = f"loss {line['loss']:.4f}  {line['images_per_second']:.0f} images/s"
    shares = {"dropped": "drop_rate", "accuracy": "accuracy"}
    return "  ".join([text, *(f"{word} {line[name]:.1%}" for word, name in shares.items() if name in line)])
