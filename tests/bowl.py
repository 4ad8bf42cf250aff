"""Benches without a model: what they give is known, and they take no time."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from lodestar.guidance import parse
from lodestar.measure.numbers import Number
from lodestar.measure.scales import scale_of
from lodestar.measure.setting import Evaluation, Setting

SPLITS = 10


@dataclass
class Bowl:
    """A Frechet distance least at a scale, and an accuracy that rises; every setting has the same luck in a split."""

    best: float = 3.0
    asked: list[tuple[str, int | None]] = field(
        default_factory=list
    )  # the settings that were measured, and of how many

    on_images: object = None

    def __call__(self, setting: Setting, n: int | None = None, on_samples=None) -> Evaluation:
        self.asked.append((setting.key, n))
        scale = scale_of(parse(setting.guidance)) or 1.0
        if on_samples is not None:
            on_samples(n or 100, n or 100)
        if self.on_images is not None:
            for _ in range(3):
                self.on_images(torch.full((4, 8, 8, 3), int(20 * scale), dtype=torch.uint8))
        fd, accuracy = 5 + (scale - self.best) ** 2, 1 - 0.5**scale
        numbers = {"FD": spread(fd), "prompt accuracy": spread(accuracy), "saturation": spread(scale / 10)}
        return Evaluation(setting, numbers, n or 100, evaluations=40.0, seconds=2.0)


def spread(value: float) -> Number:
    """A number whose splits differ by what is the same for all settings."""
    luck = torch.linspace(-1, 1, SPLITS).double() * 0.5
    return Number(value, value - 0.7, value + 0.7, tuple((value + luck).tolist()))
