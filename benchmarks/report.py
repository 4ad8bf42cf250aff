"""The result of a benchmark, as JSON for programs and as a Markdown table for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .interleave import LEAST, Series
from .machine import BUSY, machine


@dataclass(frozen=True)
class Finding:
    """What was asked, what was found, and what it should be."""

    what: str
    value: float
    target: float
    side: Literal["at most", "at least"]

    @property
    def holds(self) -> bool:
        return self.value <= self.target if self.side == "at most" else self.value >= self.target


@dataclass(frozen=True)
class Report:
    name: str
    title: str
    settings: Mapping[str, object]
    series: Sequence[Series]
    findings: Sequence[Finding]
    notes: Sequence[str] = ()
    curves: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)  # side -> points
    machine: Mapping[str, object] = field(default_factory=machine)

    def warnings(self, quick: bool) -> list[str]:
        """Why these numbers should not be believed."""
        fewest, load = min(len(s.values) for s in self.series), self.machine.get("load")
        found = ["a quick run: it shows that the benchmark works, its numbers mean nothing"] if quick else []
        if not quick and fewest < LEAST:
            found.append(f"only {fewest} repetitions: at least {LEAST} are needed")
        if isinstance(load, float) and load > BUSY:
            found.append(f"something else was running (load average {load} before the start)")
        return found

    def to_json(self, quick: bool = False) -> dict[str, object]:
        spread = [{"median": s.median, "min": s.least, "max": s.most} for s in self.series]
        return {
            "benchmark": self.name,
            "warnings": self.warnings(quick),
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "series": [vars(s) | more for s, more in zip(self.series, spread, strict=True)],
            "findings": [{**vars(f), "holds": f.holds} for f in self.findings],
            "curves": {side: list(points) for side, points in self.curves.items()},
            "notes": list(self.notes),
        }

    def to_markdown(self, quick: bool = False) -> str:
        return "\n".join(self._lines(quick)) + "\n"

    def save(self, folder: Path, quick: bool = False) -> None:
        """NAME.json and NAME.md."""
        folder.mkdir(parents=True, exist_ok=True)
        data = json.dumps(self.to_json(quick), indent=1, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(data + "\n", "utf-8")
        (folder / f"{self.name}.md").write_text(self.to_markdown(quick), "utf-8")

    def _lines(self, quick: bool) -> Iterator[str]:
        yield f"# {self.title}\n"
        yield from (f"**Not a result: {warning}.**\n" for warning in self.warnings(quick))
        yield f"- Machine: {_sentence(self.machine)}\n- Settings: {_sentence(self.settings)}\n"
        yield "| side | unit | median | min | max | repetitions |\n| --- | --- | ---: | ---: | ---: | ---: |"
        for s in self.series:
            yield f"| {s.name} | {s.unit} | {s.median:.4g} | {s.least:.4g} | {s.most:.4g} | {len(s.values)} |"
        yield "\n| asked | found | target | holds |\n| --- | ---: | ---: | --- |"
        for f in self.findings:
            yield f"| {f.what} | {f.value:.4g} | {f.side} {f.target:.4g} | {'yes' if f.holds else '**no**'} |"
        for side, points in self.curves.items():
            yield f"\n{side}: " + "; ".join(_point(p) for p in points)
        yield from (f"\n{note}" for note in self.notes)


def _sentence(values: Mapping[str, object]) -> str:
    return ", ".join(f"{k} {v}" for k, v in values.items() if v is not None)


def _point(point: Mapping[str, float]) -> str:
    return ", ".join(f"{k} {v:.4g}" for k, v in point.items())
