"""Measure a scenes model and write what was found into its card: how a shipped model is made of a run's.

    python -m benchmarks.card runs/scenes-32/model --out src/lodestar/models/scenes-32

The table has a row for each scale: prompt accuracy over prompts of combinations that training shows, and over prompts
with one that it never shows, each with its 95 % interval. The default guidance becomes the scale of the best row.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import torch

from lodestar.measure.prompts import Row, table
from lodestar.model import Model, load


def card(model: Model, rows: list[Row]) -> Model:
    """The model with the table in its card, and its best scale as default."""
    best = max(rows, key=lambda row: row.seen.right)
    measured = [row.describe() for row in rows]
    return replace(model, card={**model.card, "measured": measured, "guidance": f"cfg({best.scale:g})"})


def lines(rows: list[Row]) -> list[str]:
    """The table in Markdown."""
    head = "| scale | w | prompt accuracy, seen combinations | held-out combinations | evaluations per image |"
    out = [head, "| --- | --- | --- | --- | --- |"]
    for row in rows:
        seen, new = (f"{a.share:.1%} ({a.interval[0]:.1%} to {a.interval[1]:.1%})" for a in (row.seen, row.composed))
        out.append(f"| {row.scale:g} | {row.scale - 1:g} | {seen} | {new} | {row.seen.evaluations:g} |")
    for row in rows:
        counts = (f"{right} of {n} with {objects}" for objects, (right, n) in row.seen.by_count.items())
        faults = (f"{kind} {n}" for kind, n in row.seen.failures.items())
        out += ["", f"Scale {row.scale:g}, seen combinations, right by objects: {', '.join(counts)}."]
        out += ["", f"What was wrong first with the others: {', '.join(faults) or 'nothing'}."]
    return [*out, "", f"{rows[0].seen.n} prompts in each cell, one sample of each; 95 % Wilson intervals."]


def main() -> None:
    parser = ArgumentParser("python -m benchmarks.card", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("--out", type=Path, help="folder to write it to, in half precision, with its measured card")
    parser.add_argument("--scales", type=float, nargs="+", default=[0, 1, 2, 4, 8])
    parser.add_argument("--n", type=int, default=1000, help="prompts in each cell")
    parser.add_argument("--batch", type=int, default=25, help="prompts in one forward pass")
    parser.add_argument("--sampler", help="by default the model's; it becomes the default of what is written")
    parser.add_argument("--steps", type=int, help="likewise")
    asked = parser.parse_args()
    model = load(asked.model)
    chosen = {name: getattr(asked, name) for name in ("sampler", "steps") if getattr(asked, name) is not None}
    model = replace(model, card={**model.card, **chosen})
    rows = table(model, asked.scales, asked.n, batch=asked.batch)
    print("\n".join(lines(rows)))
    if asked.out is not None:
        card(model, rows).save(asked.out, torch.float16)


if __name__ == "__main__":
    main()
