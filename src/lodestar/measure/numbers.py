"""All that can be said in numbers of pictures that were seen, each with a 95 % interval and its value on every split.

value       of all pictures
splits      of each split alone, with seeds of its own: what two settings are compared by, in pairs. FD and coverage of
            few samples are other things than of many, so of a split they are what it adds to all (Tukey's jackknife):
            k times the value of all k splits, less k - 1 times that without it. The mean of these is the value less its
            bias of order 1 / n (Quenouille 1956, Biometrika 43(3/4)): FD infinity, where samples are enough for a line
            in 1 / n
low, high   of a share of right pictures Wilson's interval, of a mean Student's, both of as many independent samples as
            there are where a prompt has several; else value +- t s / sqrt(splits), s the spread of the splits; of a
            share that is the same in all splits Wilson's too. KD and MIND of nearly equal sets spread more at
            n / splits samples than they should, so that their intervals are too wide there
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite, sqrt
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from .features import Detector, named
from .features.detector import OWN
from .gathering import Gathered
from .metrics import Compared, copying, diversity, frechet, inception_score, mind, nearest
from .metrics.frechet import ENOUGH
from .metrics.interval import student
from .reference import Reference
from .share import wilson

LOWER, HIGHER, NEITHER = "lower", "higher", "neither"
LEAST = 20  # samples, below which no metric says anything


@dataclass(frozen=True)
class About:
    """What a metric is: which side is better, and whether a detector saw it, whose name it then carries."""

    better: str
    seen: bool
    least: float = 0.0  # what it can be
    most: float = inf


METRICS: Mapping[str, About] = {
    "FD": About(LOWER, True),
    "FD infinity": About(LOWER, True, least=-inf),
    "KD": About(LOWER, True, least=-inf),
    "MIND": About(LOWER, True),
    "precision": About(HIGHER, True, most=1.0),
    "recall": About(HIGHER, True, most=1.0),
    "density": About(HIGHER, True),
    "coverage": About(HIGHER, True, most=1.0),
    "IS": About(HIGHER, True, least=1.0),
    "class accuracy": About(HIGHER, True, most=1.0),
    "prompt accuracy": About(HIGHER, False, most=1.0),
    "edit accuracy": About(HIGHER, False, most=1.0),
    "untouched": About(HIGHER, False, most=1.0),
    "CLIP score": About(HIGHER, True, most=100.0),
    "diversity": About(HIGHER, True, most=2.0),
    "saturation": About(NEITHER, False, most=1.0),
    "clipped": About(NEITHER, False, most=1.0),
    "nearest": About(NEITHER, True),
    "copying": About(NEITHER, True, most=1.0),
}
SHARES = ("class accuracy", "prompt accuracy", "edit accuracy", "untouched")  # a yes or no of each picture
OF_BALLS = ("precision", "recall", "coverage", "copying")  # of pictures that lie near others


@dataclass(frozen=True)
class Number:
    """One metric of one setting."""

    value: float
    low: float  # 95 %
    high: float
    splits: tuple[float, ...] = field(default=(), repr=False)

    @property
    def error(self) -> float:
        """The standard error of the value."""
        return stdev(self.splits) / sqrt(len(self.splits)) if len(self.splits) > 1 else float("nan")

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "low": _known(self.low), "high": _known(self.high), "splits": list(self.splits)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Number:
        low, high = (float("nan") if data[name] is None else data[name] for name in ("low", "high"))
        return cls(data["value"], low, high, tuple(data["splits"]))


def _known(value: float) -> float | None:
    return value if isfinite(value) else None  # JSON has no nan


def apart(a: Number, b: Number) -> Number:
    """a - b of two settings with the same seeds, by their splits: narrower by far than the two intervals."""
    if len(a.splits) != len(b.splits) or len(a.splits) < 2:
        raise UsageError("two numbers are compared by their splits, and these have not the same ones")
    return _spread(a.value - b.value, [x - y for x, y in zip(a.splits, b.splits, strict=True)])


def better(metric: str, a: float, b: float) -> bool:
    """Whether a is better than b. Raises UsageError for a metric of which neither side is."""
    side = about(metric).better
    if side == NEITHER:
        raise UsageError(f"neither more nor less {metric} is better: choose another metric")
    return a < b if side == LOWER else a > b


def about(metric: str) -> About:
    """Raises UsageError for an unknown metric."""
    if metric not in METRICS:
        raise UsageError(f"there is no metric '{metric}': there are {', '.join(METRICS)}")
    return METRICS[metric]


def plain(name: str) -> str:
    """The metric that is meant by a name with or without that of a detector: FID, FD-scenes and FD are one."""
    short = {own.lower(): metric.lower() for metric, own in OWN.items()}.get(name.lower(), name.lower())
    found = [metric for metric in METRICS if short == metric.lower()]
    found += [metric for metric, told in METRICS.items() if told.seen and short.startswith(f"{metric.lower()}-")]
    if not found:
        raise UsageError(f"there is no metric '{name}': there are {', '.join(METRICS)}")
    return found[0]


def called(metric: str, detector: Detector) -> str:
    """The name under which a number is told: FD-scenes, or FID."""
    return named(metric, detector) if about(metric).seen else metric


def numbers(seen: Gathered, reference: Reference | None) -> dict[str, Number]:
    """Every metric that what was seen allows. Raises UsageError for too few pictures, and for two resolutions."""
    if len(seen) < LEAST:
        raise UsageError(f"{len(seen)} pictures are too few to say anything: give at least {LEAST}")
    if reference is not None:
        _check_size(seen, reference)
    found = dict(_distance(seen, reference)) | dict(_of_features(seen, reference))
    found |= {name: _of_each(name, values, seen) for name, values in seen.each.items()}
    found |= {name: _unvaried(found[name], len(seen.features)) for name in OF_BALLS if name in found}
    return {name: _within(found[name], METRICS[name]) for name in METRICS if name in found}


def _distance(seen: Gathered, reference: Reference | None) -> Iterator[tuple[str, Number]]:
    """Of all pictures, from moments alone."""
    if reference is not None:
        rests = list(seen.without())
        found = left_out(frechet(seen.moments, reference.moments), [frechet(r, reference.moments) for r in rests])
        yield "FD", found
        if rests and min(rest.n for rest in rests) >= ENOUGH * seen.moments.dim:
            yield "FD infinity", _spread(fmean(found.splits), found.splits)


def _of_features(seen: Gathered, reference: Reference | None) -> Iterator[tuple[str, Number]]:
    """What takes the features themselves."""
    rows = [slice(0, len(seen.features)), *map(seen.kept, range(len(seen.parts)))]
    compared = [_compared(seen.features[part], reference) for part in rows]
    whole, *parts = (dict(_of_rows(seen, reference, r, c)) for r, c in zip(rows, compared, strict=True))
    yield from ((name, _spread(value, [p[name] for p in parts if name in p])) for name, value in whole.items())
    covered = [c.manifold.covered for c in compared if c is not None]
    if covered:
        yield "coverage", left_out(*_coverages(covered[0], covered[1:]))


def _coverages(whole: Tensor, parts: Sequence[Tensor]) -> tuple[float, list[float]]:
    """Which real pictures are covered, bool [N], by all samples and by each split: the share, and those without one."""
    by = sum((part.int() for part in parts), torch.zeros_like(whole, dtype=torch.int32))
    return float(whole.double().mean()), [float((by > part.int()).double().mean()) for part in parts]


def _compared(features: Tensor, reference: Reference | None) -> Compared | None:
    """Features beside the real ones; None where there are too few of either."""
    real = None if reference is None else reference.real
    return None if real is None or len(features) <= real.wider else real.compare(features)


def _of_rows(
    seen: Gathered, reference: Reference | None, rows: slice, found: Compared | None
) -> Iterator[tuple[str, float]]:
    """Of these rows alone."""
    features = seen.features[rows]
    real = None if reference is None else reference.real
    if reference is not None and real is not None and found is not None:
        yield "KD", found.kid.mean
        yield from ((name, getattr(found.manifold, name)) for name in ("precision", "recall", "density"))
        yield "MIND", mind(real.features.roll(-rows.start, 0)[: len(features)], features)  # of as many real ones
        distances, _ = nearest(features, real.features)
        yield "nearest", float(distances.median())
        if reference.own is not None:
            yield "copying", copying(distances, reference.own)
    if len(seen.log_p) == 1:
        [log_p] = seen.log_p.values()
        yield "IS", inception_score(log_p[rows], splits=1).mean
    several = _several(seen.prompt[rows])
    if bool(several.any()):
        yield "diversity", float(diversity(features[several], seen.prompt[rows][several]).mean())


def _several(prompt: Tensor) -> Tensor:
    """bool [N]: whether a picture's prompt has others."""
    _, where, counts = prompt.unique(return_inverse=True, return_counts=True)
    return counts[where] > 1


def _of_each(name: str, values: Tensor, seen: Gathered) -> Number:
    """The mean of a number that every picture has; those of one prompt are alike."""
    parts = [values[seen.rows(split)] for split in range(len(seen.parts))]
    splits = tuple(float(part.mean()) for part in parts if len(part))
    value, prompts = float(values.mean()), _by_prompt(values, seen.together)
    error = float(prompts.std()) / sqrt(len(prompts))
    if name in SHARES:
        n = value * (1 - value) / error**2 if error else 0.0  # independent samples that would be as sure
        n = min(max(n, len(prompts)), len(values))
        return Number(value, *wilson(value * n, n), splits)
    half = student(len(prompts) - 1) * error
    return Number(value, value - half, value + half, splits)


def _by_prompt(values: Tensor, together: int) -> Tensor:
    """The mean of each prompt's samples, which are neighbours."""
    prompt = torch.arange(len(values)) // together
    return torch.zeros(int(prompt[-1]) + 1).to(values).index_add(0, prompt, values) / prompt.bincount()


def _within(number: Number, told: About) -> Number:
    """With an interval that does not go where the metric cannot."""
    return replace(number, low=max(number.low, told.least), high=min(number.high, told.most))


def _unvaried(number: Number, n: int) -> Number:
    """A share that is the same in all splits is not sure for that: with Wilson's interval of n samples."""
    if number.low != number.high:  # or not known
        return number
    low, high = wilson(number.value * n, n)
    return replace(number, low=low, high=high)


def left_out(value: float, without: Sequence[float]) -> Number:
    """By what the value is without each of the splits: Tukey 1958, Ann. Math. Stat. 29(2), page 614."""
    k = len(without)
    return _spread(value, [k * value - (k - 1) * rest for rest in without])


def _spread(value: float, splits: Sequence[float]) -> Number:
    if len(splits) < 2:
        return Number(value, float("nan"), float("nan"), tuple(splits))
    half = student(len(splits) - 1) * stdev(splits) / sqrt(len(splits))
    return Number(value, value - half, value + half, tuple(splits))


def _check_size(seen: Gathered, reference: Reference) -> None:
    if reference.size is not None and reference.size != seen.size:
        (h, w), (height, width) = seen.size, reference.size
        raise UsageError(
            f"these pictures are {w}x{h} pixels and those of the reference {width}x{height}: "
            "bring both to one size first"
        )
