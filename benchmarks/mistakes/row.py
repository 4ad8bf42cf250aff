"""A line of a table: one thing measured, done wrong and done right."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = "| | wrong | right | floor |\n| --- | ---: | ---: | ---: |"


@dataclass(frozen=True)
class Row:
    """A distance has a floor: how far apart two exact draws of as many samples are."""

    what: str
    wrong: float
    right: float
    floor: float | None = None
    share: bool = False  # of 1: printed in per cent

    def __str__(self) -> str:
        cells = (self._cell(v) for v in (self.wrong, self.right, self.floor))
        return f"| {self.what} | " + " | ".join(cells) + " |"

    def _cell(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{value * 100:.1f} %" if self.share else f"{value:.3f}"
