"""The tables of a comparison: on stdout, as a page of markdown, and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from . import show
from .cells import cell, difference_cell, heads, measured
from .info import lines

if TYPE_CHECKING:
    from ..measure.comparison import Standing
    from ..measure.features import Detector
    from ..measure.reference import Reference

Table = tuple[Sequence[str], Sequence[Sequence[str]]]  # heads, rows


@dataclass(frozen=True)
class Compared:
    """Rules in the order in which they are shown."""

    done: Sequence[Standing]
    left_out: Mapping[str, str]  # why, by name
    protocol: Mapping[str, Any]
    seen: Detector
    reference: Reference | None

    @property
    def metrics(self) -> list[str]:
        return measured([standing.found for standing in self.done])

    def print(self) -> None:
        for title, (names, rows) in self._sections():
            print(f"{title}\n" if title else "")
            show.table(names, rows, right=[name for name in names if name not in ("rule", "chosen", "why")])
            print()
        print("\n".join(self._notes()))

    def markdown(self) -> bytes:
        parts = [f"# Guidance rules compared on {self.protocol['model']['name']}"]
        for title, found in self._sections():
            parts += [f"## {title}", _markdown(found)]
        parts += [*self._notes(), "## How it was measured", _markdown((("", ""), list(lines(self.protocol))))]
        return ("\n\n".join(parts) + "\n").encode()

    def csv(self) -> bytes:
        """A row for each rule and metric: all of them, with both ends of each interval."""
        text = StringIO()
        table = csv.writer(text, lineterminator="\n")
        ends = ("value", "low", "high")
        cost = ("samples", "steps", "evaluations", "seconds", "tried")
        table.writerow(["rule", "chosen", "metric", *ends, *(f"apart_{e}" for e in ends), "verdict", *cost])
        table.writerows(row for standing in self.done for row in _rows(standing))
        return text.getvalue().encode()

    def _sections(self) -> Iterator[tuple[str, Table]]:
        names = ["rule", "chosen", "tried", "steps", "evaluations/image"]
        rows = [
            [s.name, s.text, str(s.tried), str(s.found.setting.steps), f"{s.found.evaluations:g}", *self._values(s)]
            for s in self.done
        ]
        yield "At equal evaluations", ([*names, *heads(self.metrics, self.seen), "ms/image"], rows)
        apart = [
            [s.name, *(difference_cell(name, s.apart[name]) for name in self.metrics)] for s in self.done if s.apart
        ]
        yield (
            "Apart from cfg, in pairs of the same seeds and prompts",
            (["rule", *heads(self.metrics, self.seen)], apart),
        )
        if self.left_out:
            yield "Left out", (["rule", "why"], sorted(self.left_out.items()))

    def _values(self, standing: Standing) -> list[str]:
        each = standing.found.seconds / standing.found.samples
        return [*(cell(standing.found[name]) for name in self.metrics), f"{1000 * each:.3g}"]

    def _notes(self) -> Iterator[str]:
        tuned, count = self.protocol["tuned"], (len(self.done) - 1) * len(self.metrics)
        yield (
            f"Each rule has the best of the strengths tried, for {tuned['for']}, on {tuned['samples']} samples of "
            "other seeds and prompts; where several are named, these did not tell which is better, and the numbers are "
            "of the first (the others of cfg: cfg, as likely). Behind every number is half of its 95 % interval; of "
            f"{count} verdicts at 95 % about {count / 20:.0f} would come out by chance if all rules were alike."
        )
        colours = {} if self.reference is None else self.reference.colours
        if "saturation" in colours:
            yield f"The saturation of the real pictures is {colours['saturation']:.4g}."


def _rows(standing: Standing) -> Iterator[list[object]]:
    from ..measure.paired import verdict

    found = standing.found
    cost = [found.samples, found.setting.steps, found.evaluations, found.seconds, standing.tried]
    for name, number in found.numbers.items():
        apart = standing.apart.get(name)
        ends: list[object] = ["", "", "", ""]
        if apart is not None:
            ends = [apart.value, apart.low, apart.high, verdict(name, apart)]
        yield [standing.name, found.setting.guidance, name, number.value, number.low, number.high, *ends, *cost]


def _markdown(found: Table) -> str:
    names, rows = found
    ruler = ["---" if name in ("", "rule", "chosen", "why") else "---:" for name in names]
    return "\n".join(f"| {' | '.join(_escaped(text) for text in row)} |" for row in (names, ruler, *rows))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
