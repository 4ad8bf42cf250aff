"""A metric of several parts of the samples, as torch-fidelity reports it: their mean and their spread."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, pstdev


@dataclass(frozen=True)
class Parts:
    """What each part gave."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def std(self) -> float:
        """Of the parts: where they overlap, it says nothing of the error of the mean."""
        return pstdev(self.values)
