"""Where settings are measured: a model, a detector, a reference, and the samples that every setting draws alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor

from ..conditions import Value
from ..request import Prompts, Seed
from ..result import Result
from .asked import Asked
from .features import Detector
from .gathering import Gathering
from .judging import judged
from .numbers import numbers
from .reference import Reference
from .setting import Evaluation, Setting

PART = 10  # samples, or prompts, of a split at least
CHUNK = 256  # pictures that are there at a time
SPLITS = 10
OnSamples = Callable[[int, int], None]  # samples drawn, samples in all
OnImages = Callable[[Tensor], None]  # uint8 [B, H, W, C], as they are drawn


class Draws(Protocol):
    """All that is asked of a model."""

    @property
    def name(self) -> str: ...
    @property
    def sample(self) -> Callable[..., Result]:
        """As `Model.sample`: (prompts, n=, guidance=, sampler=, steps=, grid=, seed=, batch=, ...)."""
        ...


@dataclass(frozen=True, eq=False)
class Bench:
    """Measures one setting after the other, each with the same prompts and noise."""

    model: Draws
    detector: Detector
    reference: Reference | None
    asked: Asked
    others: Mapping[str, Any] = field(default_factory=dict)  # nets, gradients, named: as `Model.sample` takes them
    batch: int = 64  # samples in one forward pass
    splits: int = SPLITS  # at most
    on_images: OnImages | None = None

    def __call__(self, setting: Setting, n: int | None = None, on_samples: OnSamples | None = None) -> Evaluation:
        """The numbers of a setting, of all samples or of the first n. Raises UsageError as `Model.sample` does."""
        [found] = self.growing(setting, [len(self.asked) if n is None else n], on_samples)
        return found

    def growing(
        self, setting: Setting, counts: Sequence[int], on_samples: OnSamples | None = None
    ) -> Iterator[Evaluation]:
        """The numbers of the first so many samples, for each of these counts, rising; none is drawn twice.

        What nobody asks for any more is not drawn. Raises UsageError as `Model.sample` does.
        """
        whole = self.asked.first(counts[-1])
        gathering = Gathering(self.detector, len(whole), splits_of(len(whole.prompts), self.splits), whole.each)
        cost, looking = Cost(), 0.0
        for count in counts:
            started, before, asked = perf_counter(), cost.seconds, whole.first(count)
            self._draw(setting, asked, gathering, cost, on_samples)
            found = numbers(gathering.so_far(splits_of(len(asked.prompts), self.splits)), self.reference)
            looking += perf_counter() - started - (cost.seconds - before)
            n = gathering.seen
            spent = (cost.evaluations / n, cost.backwards / n, cost.gradients / n, cost.seconds)
            yield Evaluation(setting, found, n, *spent, looking)

    def _draw(
        self, setting: Setting, asked: Asked, gathering: Gathering, cost: Cost, on_samples: OnSamples | None
    ) -> None:
        """Those of these samples that are not gathered yet."""
        at = gathering.seen // asked.each
        for prompts, seeds in asked.parts(CHUNK, at):
            result = self._sampled(setting, prompts, seeds, asked.each)
            cost.add(result)
            number = torch.arange(at, at + len(prompts)).repeat_interleave(asked.each)
            self._look(gathering, result, number, [prompt for prompt in prompts for _ in range(asked.each)])
            at += len(prompts)
            if on_samples is not None:
                on_samples(gathering.seen, gathering.n)

    def rows(self, setting: Setting) -> float:
        """Network rows forward for one picture, found by drawing one."""
        return float(self._sampled(setting, list(self.asked.prompts[:1]), [self.asked.seed], 1).tally.evaluations)

    def _sampled(self, setting: Setting, prompts: Prompts, seeds: Seed, each: int) -> Result:
        return self.model.sample(
            prompts, n=each, guidance=setting.guidance, sampler=setting.sampler, steps=setting.steps,
            grid=setting.grid, seed=seeds, batch=self.batch, **self.others,
        )  # fmt: skip

    def _look(self, gathering: Gathering, result: Result, number: Tensor, prompts: Sequence[Value]) -> None:
        """`prompts`, B of them, are those of the B pictures, and `number` [B] which of all prompts each one is."""
        if self.on_images is not None:
            self.on_images(result.images)
        images = result.images.movedim(-1, 1).contiguous()
        # As the model spells them; but a recipe, which they are then of, has no pictures.
        told = [p if isinstance(p, Mapping) else said for p, said in zip(prompts, result.prompts, strict=True)]
        gathering.add(images, number, partial(judged, self.detector, images, told))


def splits_of(n: int, most: int = SPLITS) -> int:
    """Into how many parts n samples, or prompts, are cut: fewer of few, so that each still says something."""
    return max(2, min(most, n // PART))


@dataclass
class Cost:
    """Of all samples so far."""

    evaluations: int = 0
    backwards: int = 0
    gradients: int = 0
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        self.evaluations += result.tally.evaluations
        self.backwards += result.tally.backwards
        self.gradients += result.tally.gradients
        self.seconds += result.seconds
