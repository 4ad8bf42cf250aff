"""`python -m benchmarks.mistakes`, from the repository root: the tables of docs/mistakes.md."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator

import torch

from . import channels, coins, levels, masks, nulls, renoising, scales
from .row import HEAD

MISTAKES = (coins, masks, renoising, levels, channels, scales, nulls)
N = 3000


def lines(n: int) -> Iterator[str]:
    """A table for each mistake, headed by what it is."""
    for mistake in MISTAKES:
        yield f"{(mistake.__doc__ or '').splitlines()[0]}\n\n{HEAD}"
        yield from map(str, mistake.measure(n))
        yield ""


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.mistakes", description="What each mistake costs, in Markdown.")
    parser.add_argument("--n", type=int, default=N, help="samples of each kind")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # a thread more costs such small tensors more time than it saves
    for line in lines(asked.n):
        print(line, flush=True)


if __name__ == "__main__":
    main()
