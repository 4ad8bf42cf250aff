"""Adds up what the steps report, and stops the run at a loss that is not finite.

On a GPU the numbers of a step are read one step late, so that the device is never waited for.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from ..errors import UsageError
from .task import ACCURACY, DROPPED, INNER, NOISE


class NonFinite(UsageError):
    """A loss or gradient became infinite or not a number."""


@dataclass(frozen=True)
class Part:
    """What one forward pass gave: losses [B] and facts [B] each."""

    losses: Tensor
    facts: Mapping[str, Tensor]


@dataclass(frozen=True)
class Seen:
    """What one step gave."""

    step: int
    parts: Sequence[Part]
    norm: Tensor  # [], of the gradient before clipping

    def fact(self, name: str) -> Tensor | None:
        """All samples' values of a fact, on the CPU; None if the task does not keep it."""
        values = [p.facts[name].cpu() for p in self.parts if name in p.facts]
        return torch.cat(values) if values else None


LOGGED = {DROPPED: "drop_rate", INNER: INNER, ACCURACY: ACCURACY}  # facts whose mean is logged, under which name


class Watch:
    def __init__(self, lag: int) -> None:
        self.lag = lag  # steps
        self._waiting: deque[Seen] = deque()
        self._clear()

    def add(self, seen: Seen) -> None:
        """The numbers of a step; those of `lag` steps ago are read."""
        self._waiting.append(seen)
        self.settle(self.lag)

    def settle(self, lag: int = 0) -> None:
        """Read all but the last `lag` steps. Raises NonFinite."""
        while len(self._waiting) > lag:
            self._read(self._waiting.popleft())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done inside does not count in the images per second."""
        start = perf_counter()
        yield
        self._since += perf_counter() - start

    def report(self) -> dict[str, float]:
        """Means since the last report: loss, grad_norm, facts (LOGGED) and images_per_second of this process."""
        self.settle()
        line = {"loss": self._loss / max(1, self._images), "grad_norm": self._norm / max(1, self._steps)}
        line |= {LOGGED[name]: total / seen for name, (total, seen) in self._facts.items()}
        line["images_per_second"] = self._images / max(1e-9, perf_counter() - self._since)
        self._clear()
        return line

    def _clear(self) -> None:
        self._loss = self._norm = 0.0
        self._images = self._steps = 0
        self._facts: dict[str, tuple[float, int]] = {}  # sum and number of its values
        self._since = perf_counter()

    def _read(self, seen: Seen) -> None:
        losses, norm = torch.cat([p.losses.float().cpu() for p in seen.parts]), float(seen.norm)
        _check(seen, losses, norm)
        self._loss += float(losses.sum())
        self._norm += norm
        self._images += len(losses)
        self._steps += 1
        for name in LOGGED:
            if (values := seen.fact(name)) is not None:
                total, number = self._facts.get(name, (0.0, 0))
                self._facts[name] = total + float(values.sum()), number + len(values)


def _check(seen: Seen, losses: Tensor, norm: float) -> None:
    bad = ~losses.isfinite()
    if not bool(bad.any()) and math.isfinite(norm):
        return
    what = f"the loss of {int(bad.sum())} of {len(bad)} samples" if bool(bad.any()) else "the gradient"
    at = seen.fact(NOISE)
    where = "" if at is None else _span(at[bad] if bool(bad.any()) else at)
    mend = "lower lr or clip, or train in fp32 (checkpoints are as they were)"
    raise NonFinite(f"{what} is not finite at step {seen.step + 1}{where}: {mend}")


def _span(levels: Tensor) -> str:
    low, high = float(levels.min()), float(levels.max())
    return f" (sigma/alpha {low:.3g})" if low == high else f" (sigma/alpha {low:.3g} to {high:.3g})"
