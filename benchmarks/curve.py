"""The curve of a training run, from its log alone: the loss of training and of held-out pictures, over images seen.

    python -m benchmarks.curve runs/cifar10 --out docs/cifar10.png

Prints the held-out losses as a table. Training's are means since the line before, of the weights as they are; held-out
ones are of the averaged weights, on fixed pictures and noise.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SIZE, DPI = (6.4, 3.2), 110  # inches, and dots in one


@dataclass(frozen=True)
class Curve:
    """(images seen, loss) each."""

    training: list[tuple[int, float]]
    held_out: list[tuple[int, float]]


def read(run: Path) -> Curve:
    """The curve of a run's folder. A run that was stopped and went on may have told some steps twice."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    batch = json.loads((run / "config.json").read_text())["preset"]["train"]["batch"]
    training = {line["step"] * batch: line["loss"] for line in lines if "loss" in line}
    held_out = {line["step"] * batch: line["validation"]["loss"] for line in lines if "validation" in line}
    return Curve(sorted(training.items()), sorted(held_out.items()))


def table(curve: Curve) -> list[str]:
    """Markdown."""
    rows = (f"| {images:,} | {loss:.4f} |" for images, loss in curve.held_out)
    return ["| images | held-out loss |", "| ---: | ---: |", *rows]


def draw(curve: Curve, title: str, out: Path) -> None:
    """Both, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*curve.training, strict=True), label="training")
    if curve.held_out:
        axes.plot(*zip(*curve.held_out, strict=True), "o-", label="held out, averaged weights")
    axes.set(xlabel="images seen", ylabel="loss", yscale="log", title=title)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(out)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser("python -m benchmarks.curve", description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="the folder of a training run")
    parser.add_argument("--out", type=Path, help="a PNG")
    given = parser.parse_args(arguments)
    curve = read(given.run)
    print("\n".join(table(curve)))
    if given.out:
        draw(curve, given.run.name, given.out)


if __name__ == "__main__":
    main()
