"""A network, a source and a configuration small enough for tests; also run as a program, to be killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from lodestar.conditions import Label, LabelSchema
from lodestar.core import Level, generator
from lodestar.data import Batch
from lodestar.process import Flow
from lodestar.train import Denoising, Look, Outcome, TrainConfig, loop

CLASSES = ("red", "green", "blue")
SCHEMA = LabelSchema(CLASSES, drop=0.25)
CONFIG = TrainConfig(
    steps=12,
    batch=8,
    lr=1e-2,
    warmup=3,
    ema_half_life=50,
    precision="fp32",
    log_every=4,
    validate_every=0,
    sample_every=0,
    checkpoint_every=3,
    checkpoint_seconds=0,
    seed=7,
)


class Net(nn.Module):
    """Two convolutions and a table of classes, with a dropout layer, which draws from torch's own generator."""

    def __init__(self, classes: int = 3, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.inside, self.outside = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
            self.table = nn.Embedding(classes + 1, 8)
        self.dropout = nn.Dropout(0.1)

    def encode(self, condition: Label | None) -> Tensor | None:
        return None if condition is None else self.table(condition.index % len(self.table.weight))

    def forward(self, x: Tensor, level: Level, context: Tensor | None) -> Tensor:
        angle = level.like(x).sigma.expand(len(x), 1, *x.shape[2:])
        h = self.inside(torch.cat([x, angle], 1))
        return self.outside(self.dropout((h if context is None else h + context[:, :, None, None]).relu()))


class Squares:
    """Pictures of one colour each: three classes, and captions that name them."""

    resolution = 8
    classes = CLASSES

    def texts(self, n: int) -> list[str]:
        return [f"a {colour} square" for colour in CLASSES][:n]

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        step = start
        while True:
            yield self._batch(torch.randint(0, 3, (size,), generator=generator(seed, 1, step)))
            step += 1

    def held_out(self, n: int) -> Batch:
        return self._batch(torch.arange(n) % 3)

    def describe(self) -> dict[str, object]:
        return {"data": "squares"}

    def _batch(self, which: Tensor) -> Batch:
        images = torch.zeros(len(which), 3, self.resolution, self.resolution, dtype=torch.uint8)
        images[torch.arange(len(which)), which] = 255
        return Batch(images, [f"a {CLASSES[i]} square" for i in which], which)


class Breaks(Squares):
    """The same, and broken after four batches."""

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        for i, batch in enumerate(super().batches(size, seed, start), start):
            if i == 4:
                raise RuntimeError("broken")
            yield batch


def task(config: TrainConfig = CONFIG, **changes: object) -> Denoising:
    return replace(Denoising(Net(), Flow(), "flow", SCHEMA, seed=config.seed), **changes)  # type: ignore[arg-type]


def run(
    folder: Path,
    config: TrainConfig = CONFIG,
    *,
    resume: bool = False,
    source: Squares | None = None,
    looks: Sequence[Look] = (),
    quiet: bool = True,
    **changes: object,
) -> Outcome:
    """A whole run of the loop on squares."""
    return loop(
        task(config, **changes),
        lambda first: (source or Squares()).batches(config.batch, config.seed, first),
        config,
        folder,
        looks=looks,
        resume=resume,
        device="cpu",
        quiet=quiet,
    )


class Slow(Squares):
    """Squares that take their time, so that there is time to send a signal."""

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        for batch in super().batches(size, seed, start):
            time.sleep(0.02)
            yield batch


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    config, network = replace(CONFIG, steps=steps), Net()
    network.dropout.p = 0.0 if sys.argv[3:] else network.dropout.p
    ended = run(folder, config, source=Slow(), quiet=False, network=network)
    print(f"ended after {ended.steps} by {ended.stopped}")
