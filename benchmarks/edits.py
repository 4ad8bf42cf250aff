"""Measure an editing model over its two scales, and write what was found into its card.

    python -m benchmarks.edits runs/edit-32/model --plot docs/edits.png --out src/lodestar/models/edit-32

On test triples of the scenes world that training never saw, for each text scale and image scale of the rule `edit`:
edit accuracy by the exact check, and how well untouched pixels were kept (lodestar.measure.edits says which they are).
The pair of scales with the most edits that are right and clean becomes the default guidance. On the triples by which it
was chosen it looks better than it is, so it is measured again on as many others, and on as many whose scene before has
a combination that training never shows.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import torch

from lodestar.data.scenes.triples import triples
from lodestar.measure.edits import CLEAN, Edited, measure_edits
from lodestar.measure.share import Share
from lodestar.model import Model, load

SEEN, FRESH, COMPOSED = "seen combinations", "seen combinations, other triples", "held-out combinations"


@dataclass(frozen=True)
class Cell:
    """What one pair of scales gave."""

    text: float
    image: float
    found: Edited
    kind: str = SEEN

    @property
    def guidance(self) -> str:
        return rule(self.text, self.image)

    def describe(self) -> dict[str, object]:
        return {"text": self.text, "image": self.image, "triples": self.kind, **self.found.describe()}


def rule(text: float, image: float) -> str:
    return f"edit({text:g}, image={image:g})"


def cells(
    model: Model, texts: Sequence[float], images: Sequence[float], n: int, batch: int, kind: str = SEEN
) -> list[Cell]:
    """Every pair of scales, of one image scale after the other, on the n triples of a kind."""
    edits = triples(n, composition=kind == COMPOSED, start=n if kind == FRESH else 0)

    def cell(text: float, image: float) -> Cell:
        return Cell(text, image, measure_edits(model, edits, rule(text, image), batch=batch), kind)

    return [cell(text, image) for image in images for text in texts]


def best(grid: Sequence[Cell]) -> Cell:
    """The most edits that are right and clean, then the most that are right."""
    return max(grid, key=lambda c: (c.found.both.right, c.found.accuracy.right))


def again(model: Model, chosen: Cell, n: int, batch: int) -> list[Cell]:
    """The scales that were chosen, on triples by which they were not."""
    return [cell for kind in (FRESH, COMPOSED) for cell in cells(model, [chosen.text], [chosen.image], n, batch, kind)]


def card(model: Model, grid: Sequence[Cell], anew: Sequence[Cell]) -> Model:
    """The model with the table in its card, and its best scales as default."""
    measured = [cell.describe() for cell in (*grid, *anew)]
    return replace(model, card={**model.card, "measured": measured, "guidance": best(grid).guidance})


def lines(grid: Sequence[Cell], anew: Sequence[Cell]) -> list[str]:
    """The table in Markdown, and what there is to say of the scales that were chosen, on the first other triples."""
    heads = ["text", "image", "triples", "edit accuracy", f"untouched at {CLEAN:g} dB or better", "median PSNR, dB"]
    heads += ["both", "evaluations per image"]
    out = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for c in (*grid, *anew):
        f = c.found
        shares = [_share(f.accuracy), _share(f.kept), f"{f.median_psnr:.1f}", _share(f.both)]
        out.append(f"| {' | '.join([f'{c.text:g}', f'{c.image:g}', c.kind, *shares, f'{f.evaluations:g}'])} |")
    told = anew[0]
    kinds = (f"{kind} {s.right} of {s.n}" for kind, s in told.found.by_kind.items())
    faults = (f"{fault} {n}" for fault, n in told.found.failures.items())
    out += ["", f"{told.guidance}, {told.kind}, right by kind: {', '.join(kinds)}."]
    out += ["", f"What was wrong first with the others: {', '.join(faults) or 'nothing'}."]
    said = (
        "Untouched are the pixels outside the discs (1.21 radii and 1.5 pixels) around the object that changes, where"
    )
    said += " it was and where it is read to be; of a new background, the pixels wholly inside the objects."
    return [*out, "", f"{len(told.found.wrong)} triples in each row, one edit of each; 95 % Wilson intervals. {said}"]


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.share:.1%} ({low:.1%} to {high:.1%})"


def plot(grid: Sequence[Cell], path: Path) -> None:
    """The trade-off as a PNG: edit accuracy over how well the rest is kept, a line for each image scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=110, layout="constrained")
    axes = figure.subplots()
    for image, group in groupby(grid, lambda c: c.image):
        row = list(group)
        kept, right = [c.found.median_psnr for c in row], [100 * c.found.accuracy.share for c in row]
        axes.errorbar(kept, right, _reach([c.found.accuracy for c in row]), marker="o", label=f"image {image:g}")
        for cell, x, y in zip(row, kept, right, strict=True):
            axes.annotate(f"{cell.text:g}", (x, y), textcoords="offset points", xytext=(6, 5), fontsize=8)
    axes.set_xlabel("untouched pixels, median PSNR, dB")
    axes.set_ylabel("edit accuracy, %")
    axes.set_title("The two scales of edit(text, image); the numbers at the points are text's", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(str(path))


def _reach(shares: Sequence[Share]) -> list[list[float]]:
    """How far the intervals reach below and above, %."""
    low, high = [[100 * s.interval[end] for s in shares] for end in (0, 1)]
    middle = [100 * s.share for s in shares]
    return [[m - v for m, v in zip(middle, low, strict=True)], [v - m for m, v in zip(middle, high, strict=True)]]


def asked(args: Sequence[str] | None = None) -> Namespace:
    parser = ArgumentParser("python -m benchmarks.edits", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("--n", type=int, default=500, help="triples in each row")
    parser.add_argument("--text", type=float, nargs="+", default=[1, 2, 3, 5, 7.5], help="text scales")
    parser.add_argument("--image", type=float, nargs="+", default=[1, 1.5, 2], help="image scales")
    parser.add_argument("--batch", type=int, default=50, help="edits in one forward pass")
    parser.add_argument("--sampler", help="by default the model's; it becomes the default of what is written")
    parser.add_argument("--steps", type=int, help="likewise")
    parser.add_argument("--plot", type=Path, default=Path("edits.png"), help="the trade-off, a PNG")
    parser.add_argument("--out", type=Path, help="folder to write it to, in half precision, with its measured card")
    return parser.parse_args(args)


def main(args: Sequence[str] | None = None) -> None:
    a = asked(args)
    model = load(a.model)
    chosen = {name: getattr(a, name) for name in ("sampler", "steps") if getattr(a, name) is not None}
    model = replace(model, card={**model.card, **chosen})
    grid = cells(model, a.text, a.image, a.n, a.batch)
    anew = again(model, best(grid), a.n, a.batch)
    print("\n".join(lines(grid, anew)))
    if a.out is not None:
        card(model, grid, anew).save(a.out, torch.float16)
    plot(grid, a.plot)


if __name__ == "__main__":
    main()
