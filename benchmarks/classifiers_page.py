"""What the study of classifiers found, as tables in Markdown and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lodestar.guidance import Tally
from lodestar.measure import wilson

AWARE, CLEAN, THROUGH = "noise-aware", "clean", "clean, through x0"  # how a classifier pushes
TRUE, ALONE, CFG = "true scenes", "nothing", "cfg"  # what else there is to compare with
BASES = {"null": "cfg(0)", "conditional": "cfg(1)"}  # what it pushes


@dataclass(frozen=True)
class Row:
    """One way of guidance, measured."""

    base: str  # null or conditional: what is pushed, and which prompts are asked
    kind: str  # by what
    size: str  # of the classifier
    strength: float  # of cfg: the scale
    steps: int
    right: int = 0  # pictures that the reader accepts
    pictures: int = 0
    detector: float = 0.0  # share that the detector accepts
    own: float | None = None  # share that the classifier itself accepts
    diversity: float = 0.0
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0  # a picture

    @property
    def reader(self) -> float:
        return self.right / self.pictures


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> Iterator[str]:
    """A table whose columns from number `right` on are numbers."""
    yield "| " + " | ".join(heads) + " |"
    yield "| " + " | ".join("---:" if i >= right else "---" for i in range(len(heads))) + " |"
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def table(found: Sequence[Row]) -> Iterator[str]:
    """Every row."""
    heads = ("from", "pushed by", "size", "strength", "steps", "reader", "95 %", "detector", "own classifier")
    costs = ("diversity", "forward", "back", "gradients", "seconds")
    yield from markdown((*heads, *costs), [_cells(row) for row in found], 3)


def _cells(row: Row) -> list[str]:
    low, high = wilson(row.right, row.pictures)
    named = [row.base, row.kind, row.size, f"{row.strength:g}", str(row.steps)]
    accepted = [f"{row.reader:.1%}", f"{low:.1%} to {high:.1%}", f"{row.detector:.1%}", _share(row.own)]
    spent = [f"{n / row.pictures:g}" for n in (row.tally.evaluations, row.tally.backwards, row.tally.gradients)]
    return [*named, *accepted, f"{row.diversity:.3f}", *spent, f"{row.seconds:.3f}"]


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def answer(found: Sequence[Row]) -> Iterator[str]:
    """The question, for each classifier at the strength that the reader likes best."""
    alone = {row.base: row for row in found if row.kind == ALONE}
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in found:
        if row.own is not None:
            groups.setdefault((row.base, row.kind, row.size), []).append(row)
    heads = ("from", "pushed by", "size", "best strength", "reader, without", "reader", "own classifier", "fooled")
    rows = [_answered(max(several, key=lambda row: row.right), alone[base]) for (base, *_), several in groups.items()]
    yield from markdown((*heads, "diversity, without", "diversity"), rows, 3)


def _answered(best: Row, alone: Row) -> list[str]:
    named = [best.base, best.kind, best.size, f"{best.strength:g}"]
    shares = [_share(alone.reader), _share(best.reader), _share(best.own), f"{(best.own or 0) - best.reader:+.1%}"]
    return [*named, *shares, f"{alone.diversity:.3f}", f"{best.diversity:.3f}"]


def figure(found: Sequence[Row], path: Path) -> None:
    """A PNG: who accepts at which strength, and what that costs in diversity; a line of panels for each base."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(13, 9), dpi=110, layout="constrained")
    panels = drawn.subplots(len(BASES), 3, squeeze=False)
    sizes = list(dict.fromkeys(row.size for row in found if row.size))
    for line, base in zip(panels, BASES, strict=True):
        for panel, kind in zip(line, (AWARE, CLEAN), strict=False):
            _strengths(panel, [row for row in found if (row.base, row.kind) == (base, kind)], sizes)
            panel.set_title(f"{kind}, from the {base}")
        _tradeoff(line[2], [row for row in found if row.base == base], sizes)
        line[2].set_title(f"what it costs, from the {base}")
    _legend(drawn, panels[:, :2].flat, "outside lower left", len(sizes))
    _legend(drawn, panels[:, 2], "outside lower right", 3)
    FigureCanvasAgg(drawn).print_png(path)


_READ: Mapping[str, tuple[str, Callable[[Row], float]]] = {
    "reader": ("-", lambda row: row.reader),
    "detector": (":", lambda row: row.detector),
    "own": ("--", lambda row: row.own or 0.0),
}
_MARKS = {TRUE: "P", ALONE: "*", CFG: "^-", AWARE: "o-", CLEAN: "x:", THROUGH: "s--"}  # and cfg in a time


def _strengths(panel: Any, several: Sequence[Row], sizes: Sequence[str]) -> None:
    for size in sizes:
        same = sorted((row for row in several if row.size == size), key=lambda row: row.strength)
        for name, (style, read) in _READ.items():
            shares, colour = [read(row) for row in same], f"C{sizes.index(size)}"
            panel.plot([row.strength for row in same], shares, style, color=colour, label=f"{size}, {name}")
    strengths = sorted({row.strength for row in several})
    panel.set(xlabel="strength", ylabel="share accepted", ylim=(-0.02, 1.02), xscale="log")
    panel.set_xticks(strengths, [f"{strength:g}" for strength in strengths])
    panel.minorticks_off()


def _tradeoff(panel: Any, several: Sequence[Row], sizes: Sequence[str]) -> None:
    curves: dict[str, list[Row]] = {}
    for row in several:
        curves.setdefault(f"{row.kind}, {row.size}".strip(", "), []).append(row)
    for name, same in curves.items():
        mark = _MARKS.get(same[0].kind, "v-.")
        colour = next((f"C{i}" for i, size in enumerate(sizes) if name.endswith(size)), "black")
        where = [row.diversity for row in same], [row.reader for row in same]
        panel.plot(*where, mark, color=colour, label=name, linewidth=1, markersize=5)
    panel.set(xlabel="diversity within a prompt", ylabel="reader accepts", ylim=(-0.02, 1.02))


def _legend(drawn: Any, panels: Iterable[Any], where: str, columns: int) -> None:
    """One legend for all these panels, each name once."""
    told = [panel.get_legend_handles_labels() for panel in panels]
    named = {name: line for lines, names in told for line, name in zip(lines, names, strict=True)}
    drawn.legend(named.values(), named, loc=where, ncols=columns, fontsize=8)
