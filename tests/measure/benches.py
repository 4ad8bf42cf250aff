"""A detector, real pictures and a model for tests of measuring: mean colours, random pictures, no network worth it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lodestar.data import Batch


@dataclass(frozen=True)
class Colours:
    """Mean colours of the quarters of a picture: D = 12."""

    name: str = "colours"
    dim: int = 12
    digest: str = "0123"
    resize: str = "none"
    size: tuple[int, int, int] = (3, 8, 8)

    def __call__(self, images: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1) / 255


class Telling(Colours):
    """One that also tells whether a picture is rather red, green or blue."""

    classes = {"class": ("red", "green", "blue")}  # noqa: RUF012

    def classify(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self(images), {"class": (images.float().mean((2, 3)) / 20).log_softmax(1)}


def pictures(n: int, seed: int, side: int = 8, brightness: float = 1.0) -> Tensor:
    """uint8 [N, 3, side, side]: a colour each, and noise."""
    g = torch.Generator().manual_seed(seed)
    colour = torch.rand(n, 3, 1, 1, generator=g) * 160 * brightness
    return (colour + 80 * torch.rand(n, 3, side, side, generator=g)).to(torch.uint8)


@dataclass(frozen=True)
class Coloured:
    """A source of such pictures."""

    n: int = 200
    seed: int = 0
    resolution: int = 8
    looked: list[int] | None = None  # is told the steps that were read

    classes = None

    def batches(self, size: int, seed: int, start: int = 0):
        every = pictures(self.n, self.seed, self.resolution)
        step = start
        while True:
            if self.looked is not None:
                self.looked.append(step)
            rows = torch.arange(step * size, (step + 1) * size) % self.n
            yield Batch(every[rows], [f"picture {int(row)}" for row in rows])
            step += 1

    def held_out(self, n: int) -> Batch:
        return Batch(pictures(min(n, 50), self.seed + 1, self.resolution))

    def texts(self, n: int) -> list[str]:
        return [f"picture {i}" for i in range(n)]

    def describe(self) -> dict[str, object]:
        return {"source": "coloured", "training": self.n, "seed": self.seed}
