"""Steering by the difference of two texts: what a CLIP that knows the noise adds to a prompt that leaves it open.

    python -m benchmarks.steering runs/clip/model

The prompt "a circle" names no colour, which no caption of training does, and the shipped model draws it hardly ever.
"a red circle" less "a blue circle" is what pushes. The exact reader says which pictures show one circle and nothing
else, and of which colour it is; a row for each strength, with the same seeds.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lodestar.data.scenes.reader import read
from lodestar.likelihood import Likelihood
from lodestar.measure.share import wilson
from lodestar.model import Model, load
from lodestar.pictures import save_png, strip

PROMPT, TOWARDS, AWAY = "a circle", "a red circle", "a blue circle"
STRENGTHS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
SHOWN = 8  # pictures of each strength


@dataclass(frozen=True)
class Row:
    """What the pictures of one strength show."""

    strength: float
    colours: Sequence[str | None]  # of the only circle; "" where there is another picture of scenes, None where none
    evaluations: float  # a picture
    gradients: float

    def markdown(self) -> str:
        n, told = len(self.colours), Counter(self.colours)
        reds, circles = told["red"], sum(bool(c) for c in self.colours)
        low, high = wilson(reds, n)
        shares = f"{reds / n:.0%} ({low:.0%} to {high:.0%}) | {circles / n:.0%} | {told[None] / n:.0%}"
        return f"| {self.strength:g} | {shares} | {self.evaluations:g} + {self.gradients:g} |"


def measured(model: Model, judge: Likelihood, strength: float, n: int, batch: int) -> tuple[Row, Tensor]:
    """A row, and its pictures uint8 [n, H, W, 3]."""
    pull = judge.towards(TOWARDS, away=AWAY)
    found = model.sample(
        PROMPT, n=n, guidance=f"clip(cfg(3), strength={strength})", gradients={"clip": pull}, batch=batch
    )
    colours = circles(found.images)
    return Row(strength, colours, found.evaluations / n, found.tally.gradients / n), found.images


def circles(images: Tensor) -> list[str | None]:
    """Of each picture uint8 [n, H, W, 3] the colour of its only circle, "" where it shows else, None where nothing."""
    out: list[str | None] = []
    for seen in read(images.movedim(-1, 1).contiguous().numpy()):
        one = len(seen.objects) == 1 and seen.objects[0].shape == "circle"
        out.append(None if seen.fault else (seen.objects[0].colour or "") if one else "")
    return out


def table(rows: Sequence[Row], model: str) -> str:
    heads = ("strength", "one red circle alone", "one circle alone", "no picture of scenes", "evaluations + gradients")
    n = len(rows[0].colours)
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---'] * len(heads))} |", *(row.markdown() for row in rows)]
    about = f'`{model}`, prompt "{PROMPT}", `clip(cfg(3), strength)` towards "{TOWARDS}", away from "{AWAY}"; '
    return "\n".join([about + f"{n} pictures a row, the same seeds; 95 % Wilson intervals.", "", *lines])


def main() -> None:
    parser = ArgumentParser("python -m benchmarks.steering", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", help="the folder of a trained CLIP")
    parser.add_argument("--model", default="scenes-32")
    parser.add_argument("--n", type=int, default=64, help="pictures of each strength")
    parser.add_argument("--batch", type=int, default=64, help="pictures in one forward pass")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--picture", type=Path, help="a PNG of the first few of each strength")
    asked = parser.parse_args()
    model, judge = load(asked.model), Likelihood.load(asked.clip)
    found = [measured(model, judge, strength, asked.n, asked.batch) for strength in asked.strengths]
    print(table([row for row, _ in found], asked.model))
    if asked.picture is not None:
        title = f'"{PROMPT}", towards "{TOWARDS}", away from "{AWAY}"'
        labels = [f"strength {row.strength:g}" for row, _ in found]
        save_png(strip([images[:SHOWN] for _, images in found], labels, title), asked.picture)


if __name__ == "__main__":
    main()
