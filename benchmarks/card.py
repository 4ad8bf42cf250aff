"""Measure a scenes model and write what was found into its card: how a shipped model is made of a run's.

    python -m benchmarks.card runs/scenes-32/model --out src/lodestar/models/scenes-32

The table has a row for each scale: prompt accuracy over prompts of combinations that training shows, and over prompts
with one that it never shows, each with its 95 % interval. The default guidance becomes the scale that is best by as
many other prompts of seen combinations, with other seeds: on prompts that choose it a scale looks better than it is.

The card of scenes-32 is older than that: its scale was chosen by the rows that it shows, of two. To measure it anew:

    python -m benchmarks.card src/lodestar/models/scenes-32 --scales 2 3 --batch 50 --out src/lodestar/models/scenes-32
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lodestar.data.scenes.source import prompts
from lodestar.measure.prompts import Row, measure_prompts, table
from lodestar.measure.share import Share
from lodestar.model import Model, load


def choosing(model: Model, scales: Sequence[float], n: int, batch: int) -> dict[float, Share]:
    """For each scale the accuracy over n prompts that are not those of the table, from other noise."""
    others = prompts(n, start=n)
    return {scale: measure_prompts(model, others, scale, seed=n, batch=batch) for scale in scales}


def best(others: Mapping[float, Share]) -> float:
    return max(others, key=lambda scale: others[scale].right)


def card(model: Model, rows: Sequence[Row], others: Mapping[float, Share]) -> Model:
    """The model with the table in its card, and as default the scale that is best by the other prompts."""
    measured = [{**row.describe(), "other_prompts": round(others[row.scale].share, 4)} for row in rows]
    return replace(model, card={**model.card, "measured": measured, "guidance": f"cfg({best(others):g})"})


def lines(rows: Sequence[Row], others: Mapping[float, Share]) -> list[str]:
    """The table in Markdown, and what its best scale was chosen by."""
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
    chose = ", ".join(f"{s.share:.1%}{' were right' * (i == 0)} at {k:g}" for i, (k, s) in enumerate(others.items()))
    n = next(iter(others.values())).n
    out += ["", f"Scale {best(others):g} was chosen by {n} other prompts, of which {chose}."]
    return [*out, "", f"{rows[0].seen.n} prompts in each cell, one sample of each; 95 % Wilson intervals."]


def main(args: Sequence[str] | None = None) -> None:
    parser = ArgumentParser("python -m benchmarks.card", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("--out", type=Path, help="folder to write it to, in half precision, with its measured card")
    parser.add_argument("--scales", type=float, nargs="+", default=[0, 1, 2, 4, 8])
    parser.add_argument("--n", type=int, default=1000, help="prompts in each cell")
    parser.add_argument("--batch", type=int, default=25, help="prompts in one forward pass")
    parser.add_argument("--sampler", help="by default the model's; it becomes the default of what is written")
    parser.add_argument("--steps", type=int, help="likewise")
    asked = parser.parse_args(args)
    model = load(asked.model)
    chosen = {name: getattr(asked, name) for name in ("sampler", "steps") if getattr(asked, name) is not None}
    model = replace(model, card={**model.card, **chosen})
    rows = table(model, asked.scales, asked.n, batch=asked.batch)
    others = choosing(model, asked.scales, asked.n, asked.batch)
    print("\n".join(lines(rows, others)))
    if asked.out is not None:
        card(model, rows, others).save(asked.out, torch.float16)


if __name__ == "__main__":
    main()
