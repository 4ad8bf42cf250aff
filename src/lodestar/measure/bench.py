"""Where settings are measured: a model, a detector, a reference, and the samples that every setting draws alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor

from ..conditions import Schema
from ..request import Guidance, Prompts, Seed
from ..result import Result
from ..samplers import Sampler
from .asked import Asked
from .features import Clip, Detector, Seen
from .gathering import Gathered, Gathering
from .metrics import clip_score
from .metrics.accuracy import right
from .numbers import numbers
from .prompts import prompt_truth, readable
from .reference import Reference
from .setting import Evaluation, Setting

CHUNK = 256  # pictures that are there at a time
SPLITS = 10
OnSamples = Callable[[int, int], None]  # samples drawn, samples in all


class Draws(Protocol):
    """All that is asked of a model."""

    @property
    def name(self) -> str: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...

    def sample(
        self,
        prompts: Prompts,
        *,
        n: int,
        guidance: Guidance | None,
        sampler: Sampler | str | None,
        steps: int | None,
        grid: str | None,
        seed: Seed,
        batch: int | None,
        **others: Any,
    ) -> Result: ...


@dataclass(frozen=True, eq=False)
class Bench:
    """Measures one setting after the other, each with the same prompts and noise."""

    model: Draws
    detector: Detector
    reference: Reference | None
    asked: Asked
    others: Mapping[str, Any] = field(default_factory=dict)  # nets, gradients, named: as `Model.sample` takes them
    batch: int = 64  # samples in one forward pass
    splits: int = SPLITS

    def __call__(self, setting: Setting, n: int | None = None, on_samples: OnSamples | None = None) -> Evaluation:
        """The numbers of a setting, of all samples or of the first n. Raises UsageError as `Model.sample` does."""
        started = perf_counter()
        asked = self.asked if n is None else self.asked.first(n)
        seen, cost = self._drawn(setting, asked, on_samples)
        found = numbers(seen, self.reference)
        count, looking = len(asked), perf_counter() - started - cost.seconds
        return Evaluation(
            setting, found, count, cost.evaluations / count, cost.backwards / count, cost.gradients / count,
            cost.seconds, looking,
        )  # fmt: skip

    def _drawn(self, setting: Setting, asked: Asked, on_samples: OnSamples | None) -> tuple[Gathered, Cost]:
        gathering = Gathering(self.detector, len(asked), self.splits, asked.each)
        cost, prompt = Cost(), 0
        for prompts, seeds in asked.parts(CHUNK):
            result = self.model.sample(
                prompts, n=asked.each, guidance=setting.guidance, sampler=setting.sampler, steps=setting.steps,
                grid=setting.grid, seed=seeds, batch=self.batch, **self.others,
            )  # fmt: skip
            cost.add(result)
            number = torch.arange(prompt, prompt + len(prompts)).repeat_interleave(asked.each)
            self._look(gathering, result, number)
            prompt += len(prompts)
            if on_samples is not None:
                on_samples(gathering.seen, len(asked))
        return gathering.done(), cost

    def _look(self, gathering: Gathering, result: Result, prompt: Tensor) -> None:
        gathering.add(
            result.images.movedim(-1, 1).contiguous(),
            prompt,
            lambda seen: judged(self.model.schema, self.detector, seen, result.images, result.prompts),
        )


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


def judged(schema: Schema, detector: Detector, seen: Seen, images: Tensor, prompts: list[Any]) -> dict[str, Tensor]:
    """Whether each picture uint8 [B, H, W, C] is what was asked, by whoever can tell: [B] each."""
    found = {}
    if readable(prompts) and images.shape[-1] == 3 and images.shape[1] == images.shape[2] and _read(images.shape[1]):
        found["prompt accuracy"] = torch.tensor([wrong is None for wrong in prompt_truth(images, prompts)])
    classes = _classes(schema, detector)
    if classes is not None and all(isinstance(p, str) for p in prompts):
        [log_p] = seen.log_p.values()
        asked = torch.tensor([classes.index(p) for p in prompts])
        found["class accuracy"] = right(log_p.cpu(), asked)
    if isinstance(detector, Clip) and all(isinstance(p, str) for p in prompts):
        found["CLIP score"] = clip_score(seen.features, detector.text(prompts))
    return found


def _read(side: int) -> bool:
    from ..data.scenes.source import LEAST, MOST

    return LEAST <= side <= MOST


def _classes(schema: Schema, detector: Detector) -> list[str] | None:
    """The detector's classes, where a model draws those and no others."""
    known, told = getattr(detector, "classes", {}), getattr(schema, "classes", None)
    if told is None or len(known) != 1:
        return None
    [classes] = known.values()
    return list(classes) if set(told) <= set(classes) else None
