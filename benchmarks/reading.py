"""What a scenes model reads of its prompts, by noise level: how much its error grows when a prompt is made false.

    python -m benchmarks.reading runs/scenes-32/model

For scenes of one, two and three objects: the squared error of x0 under the true prompt, and how much more it is when
one object gets another colour or another shape, or when the first two trade colours or shapes. A model that knows the
words and not which belong together pays for the first two and not for the last two. It costs no sampling, so it shows
what training does long before prompt accuracy can.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from lodestar.core import Noise
from lodestar.data.scenes.captions import Claim, Thing, captions, parse
from lodestar.data.scenes.render import render
from lodestar.data.scenes.world import COLOURS, SHAPES, draw
from lodestar.guidance import Network
from lodestar.model import Model, load
from lodestar.pictures import from_uint8

TIMES = (0.6, 0.7, 0.8, 0.87, 0.93)  # u of a flow: sigma / (alpha + sigma)
BATCH = 64
Lie = Callable[[Claim], Claim]


def other(thing: Thing, part: str, known: tuple[str, ...]) -> Thing:
    """The thing with the next colour or shape."""
    at = known.index(getattr(thing, part))
    return replace(thing, **{part: known[(at + 1) % len(known)]})


def changed(part: str, known: tuple[str, ...]) -> Lie:
    """The first object has another colour or shape."""
    return lambda claim: replace(claim, things=(other(claim.things[0], part, known), *claim.things[1:]))


def traded(part: str) -> Lie:
    """The first two objects trade theirs."""

    def lie(claim: Claim) -> Claim:
        a, b, *rest = claim.things
        mine, its = getattr(a, part), getattr(b, part)
        return replace(claim, things=(replace(a, **{part: its}), replace(b, **{part: mine}), *rest))

    return lie


ALONE: Mapping[str, Lie] = {
    "another colour": changed("colour", tuple(COLOURS)),
    "another shape": changed("shape", SHAPES),
}
TOGETHER: Mapping[str, Lie] = {**ALONE, "colours traded": traded("colour"), "shapes traded": traded("shape")}


def scenes(objects: int, n: int, resolution: int) -> tuple[Tensor, list[str]]:
    """The first n validation scenes with so many objects: x0 [n, 3, H, W] and captions."""
    drawn = draw(torch.arange(20 * n).numpy())
    kept = (drawn.count == objects).nonzero()[0][:n]
    chosen = draw(drawn.index[kept])
    return from_uint8(torch.from_numpy(render(chosen, resolution))), captions(chosen)


@torch.inference_mode()
def error(model: Model, x0: Tensor, prompts: list[str], u: float) -> float:
    """Mean squared error of x0 at this time, with the same noise for every prompt."""
    level = model.process.level(torch.tensor(u, dtype=torch.float64))
    eps = Noise(range(len(x0))).normal(-1, 0, x0.shape[1:])
    x, told = level.like(x0).alpha * x0 + level.like(x0).sigma * eps, model.schema.encode(prompts)  # type: ignore[union-attr]
    rows = [slice(i, i + BATCH) for i in range(0, len(x), BATCH)]
    said = torch.cat([Network(model)(x[r], level, told[r], ["main"])["main"].x0 for r in rows])
    return (said - x0).square().mean().item()


def table(model: Model, objects: int, n: int) -> list[str]:
    """Lines of Markdown: a row for each time."""
    lies = ALONE if objects == 1 else TOGETHER
    x0, prompts = scenes(objects, n, model.shape[-1])
    claims = [claim for p in prompts if (claim := parse(p))]
    out = [f"| {objects} objects, u | true prompt | " + " | ".join(lies) + " |", "| --- " * (2 + len(lies)) + "|"]
    for u in TIMES:
        true = error(model, x0, prompts, u)
        more = [error(model, x0, [str(lie(claim)) for claim in claims], u) - true for lie in lies.values()]
        out.append(f"| {u:g} | {true * 1e4:.0f} | " + " | ".join(f"{gap * 1e4:+.1f}" for gap in more) + " |")
    return out


def main() -> None:
    parser = ArgumentParser("python -m benchmarks.reading", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="folder of a model of scenes")
    parser.add_argument("--n", type=int, default=256, help="scenes of each number of objects")
    asked = parser.parse_args()
    model = load(asked.model)
    for objects in (1, 2, 3):
        print("\n".join(table(model, objects, asked.n)), end="\n\n")
    print("Squared error of x0 in units of 1e-4, and what a false prompt adds to it.")


if __name__ == "__main__":
    main()
