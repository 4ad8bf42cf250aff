"""What a noise process is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ..core import Level


class Process(Protocol):
    """A path from data at u = 0 to noise at u = 1. Its members are frozen dataclasses of numbers."""

    def level(self, u: Tensor) -> Level:
        """The level at u, [] or [B] in [0, 1]: float64, with derivatives by u."""
        ...

    def u_of(self, lam: Tensor) -> Tensor:
        """The u, float64, at which the log SNR is lam: the inverse of `level(u).lam`."""
        ...

    def timestep(self, level: Level) -> Tensor:
        """What a network of this process is told of a level, in its own unit, shaped as the level."""
        ...
