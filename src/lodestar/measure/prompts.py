"""Prompt accuracy: the share of samples that show every object, colour, shape and relation of their prompt, no more.

The judge is the exact reader of the scenes world (data/scenes/reader.py): only prompts of that world can be measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..data.scenes.captions import parse
from ..data.scenes.reader import failures, meaning
from ..data.scenes.source import LEAST, MOST
from ..data.scenes.source import prompts as test_prompts
from ..errors import UsageError
from ..request import Guidance
from ..samplers import Sampler
from .share import Samplable, Share


@dataclass(frozen=True)
class Accuracy(Share):
    """How many samples show their prompt."""

    by_count: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # objects of the prompt: right, all
    failures: Mapping[str, int] = field(default_factory=dict)  # what was wrong first, commonest first
    evaluations: float = 0.0  # network rows per image

    def describe(self) -> dict[str, object]:
        """Plain values, shares to four digits."""
        return {
            "share": round(self.share, 4),
            "interval": [round(v, 4) for v in self.interval],
            "n": self.n,
            "by_count": {str(k): round(right / n, 4) for k, (right, n) in self.by_count.items()},
            "failures": dict(self.failures),
            "evaluations": self.evaluations,
        }


@dataclass(frozen=True)
class Row:
    """One line of a model card's table."""

    scale: float
    seen: Accuracy
    composed: Accuracy  # each prompt with a combination that training never showed

    def describe(self) -> dict[str, object]:
        """Plain values, shares to four digits."""
        return {
            "scale": self.scale,
            "seen": round(self.seen.share, 4),
            "seen_95": [round(v, 4) for v in self.seen.interval],
            "composed": round(self.composed.share, 4),
            "composed_95": [round(v, 4) for v in self.composed.interval],
            "prompts": self.seen.n,
            "evaluations": self.seen.evaluations,
        }


def readable(prompts: Sequence[object]) -> bool:
    """Whether all of these are prompts of the scenes world, which alone the reader can judge."""
    return all(isinstance(p, str) and parse(p) is not None for p in prompts)


def legible(images: Tensor, prompts: Sequence[object]) -> bool:
    """Whether the reader can judge images [B, H, W, C] by their prompts: of its sizes, and all of its world."""
    return fits(*images.shape[1:]) and readable(prompts)


def fits(height: int, width: int, channels: int) -> bool:
    """Whether the reader takes pictures of this shape."""
    return channels == 3 and height == width and LEAST <= height <= MOST


def prompt_truth(images: Tensor, prompts: Sequence[str]) -> list[str | None]:
    """What is wrong first with each image uint8 [B, H, W, 3]; None where it shows its prompt. Raises UsageError."""
    if images.ndim != 4 or images.shape[-1] != 3:
        raise UsageError(f"prompt accuracy is of images [B, H, W, 3], got {list(images.shape)}")
    return failures(images.permute(0, 3, 1, 2).cpu().numpy(), prompts)


def prompt_accuracy(images: Tensor, prompts: Sequence[str]) -> Accuracy:
    """The share of images uint8 [B, H, W, 3] that show their prompt. Raises UsageError on prompts of another world."""
    return _accuracy(prompts, prompt_truth(images, prompts))


def measure_prompts(
    model: Samplable,
    prompts: Sequence[str],
    guidance: Guidance | None = None,
    sampler: Sampler | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    batch: int = 25,
) -> Accuracy:
    """The accuracy of one sample of each prompt, with the seeds seed, seed + 1, ..., so that samples are independent.

    `batch` is the most of them in one forward pass. None leaves a choice to the model's defaults.
    """
    if not prompts:
        raise UsageError("measuring takes at least one prompt, got none")
    seeds = range(seed, seed + len(prompts))
    got = model.sample(list(prompts), n=1, guidance=guidance, sampler=sampler, steps=steps, seed=seeds, batch=batch)
    return _accuracy(prompts, prompt_truth(got.images, prompts), got.evaluations / len(prompts))


def table(
    model: Samplable,
    scales: Sequence[float],
    n: int = 1000,
    guidance: Callable[[float], Guidance] = float,
    sampler: Sampler | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    batch: int = 25,
) -> list[Row]:
    """For each scale the accuracy over n prompts of seen combinations and n of held-out ones.

    `guidance` makes a rule of a scale; the default is plain classifier-free guidance.
    """
    sets = test_prompts(n), test_prompts(n, composition=True)
    rows = []
    for scale in scales:
        rule = guidance(scale)
        seen, composed = (measure_prompts(model, p, rule, sampler, steps, seed, batch) for p in sets)
        rows.append(Row(scale, seen, composed))
    return rows


def _accuracy(prompts: Sequence[str], wrong: Sequence[str | None], evaluations: float = 0.0) -> Accuracy:
    counts = [len(meaning(p).things) for p in prompts]
    every, right = Counter(counts), Counter(c for c, w in zip(counts, wrong, strict=True) if w is None)
    kinds = Counter(w for w in wrong if w is not None)
    by_count = {c: (right[c], every[c]) for c in sorted(every)}
    return Accuracy(right.total(), len(wrong), by_count, dict(kinds.most_common()), evaluations)
