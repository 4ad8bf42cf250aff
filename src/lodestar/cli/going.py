"""How far a long measurement is: a bar where somebody looks, and a line for each point, with the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from .show import progress, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass
class Going:
    """So much work, in any unit that is alike for all points."""

    name: str  # of the command
    points: int
    total: float
    bar: Progress
    task: TaskID
    done: float = 0.0
    begun: int = 0
    started: float = field(default_factory=perf_counter)

    def begin(self, what: str, work: float) -> Callable[[int, int], None]:
        """A point of so much work; who is to hear of its samples."""
        self.begun += 1
        self.points = max(self.points, self.begun)  # those foreseen, or more
        left = "" if not self.done else f", about {lasts(self.left())} left"
        say(self.name, f"{self.begun} of {self.points}: {what}{left}")
        before, self.done = self.done, self.done + work
        self.total = max(self.total, self.done)
        self.bar.update(self.task, description=what, total=self.total)
        return lambda drawn, total: self.bar.update(self.task, completed=before + work * drawn / total)

    def left(self) -> float:
        """Seconds, as it went so far."""
        return (perf_counter() - self.started) / self.done * (self.total - self.done)


@contextmanager
def going(name: str, points: int, total: float) -> Iterator[Going]:
    with progress() as bar:
        yield Going(name, points, total, bar, bar.add_task(name, total=total))


def lasts(seconds: float) -> str:
    """For people: 40 s, 12 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
