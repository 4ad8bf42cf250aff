"""`lodestar report`: files of points as a page that anybody can open, with pictures and a table of all numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from ..errors import UsageError
from . import show
from .command import Command
from .config import to_json

if TYPE_CHECKING:
    from ..measure.report.content import Column, Content

Files = Positional[Annotated[tuple[Path, ...], arg(metavar="FILE.jsonl ...")]]
Metrics = Annotated[tuple[str, ...], arg(metavar="METRIC ...")]
PICTURES = ("frontier", "metrics")


@dataclass(frozen=True, kw_only=True)
class Report(Command):
    """Make one HTML file, which loads nothing, of what was measured: plots, Pareto set, cost, pictures, protocol."""

    files: Files = ()  # made by lodestar sweep, compare or tune
    out: Path = Path("report.html")
    fidelity: Metrics = ()  # upwards in the frontier, a plot each; by default FD and precision, or their like
    diversity: Metrics = ()  # across in the frontier; by default recall, coverage or diversity
    png: Path | None = None  # two pictures, NAME-frontier.png and NAME-metrics.png; by default called as the page is
    csv: Path | None = None  # all numbers; by default NAME-numbers.csv, for compare has a NAME.csv of its own
    title: str | None = None  # of the page; by default the files' names

    def resolved(self) -> Report:
        png = self.png or self.out.with_suffix(".png")
        csv = self.csv or self.out.with_name(f"{self.out.stem}-numbers.csv")
        title = self.title or f"Measured: {', '.join(dict.fromkeys(path.stem for path in self.files))}"
        asked = replace(self, png=png, csv=csv, title=title)
        asked._check()
        return asked

    def run(self) -> dict[str, object]:
        from ..files import write_file
        from ..measure.report.content import content
        from ..measure.report.page import page
        from ..measure.report.sheet import sheet
        from ..plotting import check

        asked = self.resolved()
        check("a report's pictures", "report")
        found = content(asked.files)
        pairs = found.pairs(asked.fidelity, asked.diversity)
        for caution in found.cautions():
            show.say("warning", caution)
        text = page(found, pairs, str(asked.title)).encode()
        files = {asked.out: text, **asked._pictures(found, pairs), Path(str(asked.csv)): sheet(found, pairs)}
        for path, data in files.items():
            write_file(path, data)
        best = _tell(found, pairs)
        for path in files:
            print(f"written: {path}")
        return {"config": to_json(asked), "files": [str(path) for path in files], "pareto": best}

    def _check(self) -> None:
        """Raise UsageError for files that could not be written, before any is read."""
        if not self.files:
            raise UsageError("say what is to be reported: lodestar report FILE.jsonl, as lodestar sweep makes it")
        for option, path, suffix in (("out", self.out, ".html"), ("png", self.png, ".png"), ("csv", self.csv, ".csv")):
            if path is not None and path.suffix.lower() != suffix:
                raise UsageError(f"--{option} {path} must end in {suffix}, which is what is written")
        outs = [path for path in (self.out, *self._names(), self.csv, self.json) if path is not None]
        read = {path.resolve() for path in self.files}
        for i, path in enumerate(outs):
            if path.resolve() in read:
                raise UsageError(f"{path} is what is read, and would be lost: write to another file")
            if path.resolve() in {other.resolve() for other in outs[:i]}:
                raise UsageError(f"{path} is written twice: give another name")
            show.check_file(path)

    def _names(self) -> list[Path]:
        """Of the two pictures."""
        return [] if self.png is None else [self.png.with_name(f"{self.png.stem}-{name}.png") for name in PICTURES]

    def _pictures(self, found: Content, pairs: Sequence[tuple[Column, Column]]) -> dict[Path, bytes]:
        from ..measure.report.drawing import draw
        from ..measure.report.panels import costs, frontiers, measures

        groups = (frontiers(found, pairs), [*measures(found), *costs(found)])
        recipe = to_json(self)
        return {
            path: draw(panels, found.lines, str(self.title), recipe)
            for path, panels in zip(self._names(), groups, strict=True)
            if panels
        }


def _tell(found: Content, pairs: Sequence[tuple[Column, Column]]) -> dict[str, list[str]]:
    """Print the Pareto set of the first pair; gives the points of each."""
    from ..measure.report.pareto import pareto
    from ..measure.report.plots import at, shown

    best = {(x, y): [found.rows[i] for i in pareto(found.rows, x, y)] for x, y in pairs}
    for x, y in pairs[:1]:
        heads = [f"Pareto set of {y.name} and {x.name}", "", y.name, x.name]
        rows = [[row.line, at(row), *(shown(row.values[c.name]) for c in (y, x))] for row in best[x, y]]
        show.table(heads, rows, right=heads[2:])
        print()
    return {f"{y.name}, {x.name}": [row.evaluation.setting.key for row in rows] for (x, y), rows in best.items()}
