"""Claims about curves, judged by what was measured: confirmed, refuted or undecided, and then what n would decide.

A claim is that each of some differences lies where it says: above 0, or within a margin of it. Differences are of
pairs of splits with the same prompts and noise (`numbers.apart`), each with a 95 % interval of its own.

confirmed   every interval lies where the claim says
refuted     one of them lies wholly elsewhere
undecided   neither: were the difference to stay as it is, its interval, which shrinks as 1 / sqrt(n), would leave the
            border at n (half its width / distance to the border)^2 samples
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, isfinite, log10, nan
from typing import Literal, TypeAlias

import numpy as np

from ...errors import UsageError
from ..numbers import Number, apart
from ..setting import Evaluation

Curve: TypeAlias = Mapping[float, Evaluation]  # by the paper's w, rising
Said: TypeAlias = Literal["confirmed", "refuted", "undecided"]

DISTANCE = "FD"
SMALL = 1.0  # the paper's best w are 0.1 to 0.4
ALIKE = 0.1  # share of a distance that two may be apart and are still called alike
SHARES = (0.25, 0.5, 0.75)  # of the way over the scores that two frontiers both reach, at which they are compared


@dataclass(frozen=True)
class Part:
    """A difference, and where a claim wants it: between `least` and `most`."""

    what: str
    difference: Number
    least: float = 0.0
    most: float = inf

    @property
    def holds(self) -> bool:
        return self.least < self.difference.low and self.difference.high < self.most

    @property
    def fails(self) -> bool:
        return self.difference.high < self.least or self.difference.low > self.most

    @property
    def leans(self) -> bool:
        """Whether the value alone is where it should be."""
        return self.least < self.difference.value < self.most

    def needed(self, n: int) -> float:
        """The samples that would decide it, where these are of n; infinite where it is right on the border."""
        d = self.difference
        away = min(abs(d.value - border) for border in (self.least, self.most) if isfinite(border))
        return inf if away == 0 else n * ((d.high - d.low) / 2 / away) ** 2


@dataclass(frozen=True)
class Verdict:
    """A claim, what the paper measured, and what was measured here."""

    claim: str
    paper: str
    parts: Sequence[Part]
    n: int  # samples of each point

    @property
    def said(self) -> Said:
        if any(part.fails for part in self.parts):
            return "refuted"
        return "confirmed" if self.parts and all(part.holds for part in self.parts) else "undecided"

    @property
    def needed(self) -> int | None:
        """Of an undecided claim the samples that would decide it, to two digits; None where no number would."""
        still = [part for part in self.parts if not part.holds and not part.fails]
        if self.said != "undecided" or not still:
            return None
        against = [part.needed(self.n) for part in still if not part.leans]  # one of them would be enough
        samples = min(against) if against else max(part.needed(self.n) for part in still)
        return _rounded(samples) if isfinite(samples) else None


def curve(points: Iterable[Evaluation], steps: int) -> Curve:
    """Those with so many steps, by w."""
    found = {point.facts["w"]: point for point in points if point.setting.steps == steps}
    return dict(sorted(found.items()))


def interior_minimum(curve: Curve, metric: str = DISTANCE, small: float = SMALL) -> list[Part]:
    """That the least value above w = 0 and up to `small` is below that at 0 and all those beyond.

    It is the least as measured, which favours the claim by what luck the least of a few has. Raises UsageError where
    there is nothing on one of the three sides.
    """
    inside, outside = [w for w in curve if 0 < w <= small], [w for w in curve if not 0 < w <= small]
    if not inside or 0 not in outside or max(outside) == 0:
        got = ", ".join(f"{w:g}" for w in curve)
        raise UsageError(f"a minimum at small w takes w = 0, some up to {small:g} and some above it, got {got}")
    best = min(inside, key=lambda w: curve[w][metric].value)
    return [_above(metric, curve, w, best) for w in outside]


def rising(curve: Curve, metric: str) -> list[Part]:
    """That it is more at each w than at the one before."""
    return [_above(metric, curve, high, low) for low, high in pairwise(curve)]


def falling(curve: Curve, metric: str) -> list[Part]:
    """That it is less at each w than at the one before."""
    return [_above(metric, curve, low, high) for low, high in pairwise(curve)]


def worse(curve: Curve, others: Mapping[str, Curve], score: str, metric: str = DISTANCE) -> list[Part]:
    """That at the same score its distance is more than on each of the others, along all that they share."""
    return [
        Part(f"{metric} above that of {name} at {score} {gap.score:.3g}", gap.apart)
        for name, other in others.items()
        for gap in gaps(curve, other, score, metric)
    ]


def alike(curve: Curve, other: Curve, score: str, metric: str = DISTANCE, share: float = ALIKE) -> list[Part]:
    """That at the same score the two distances are within this share of the other's, along all that they share."""
    return [
        _within(f"{metric} apart at {score} {gap.score:.3g}", gap.apart, share * gap.level)
        for gap in gaps(curve, other, score, metric)
    ]


def saturating(by_steps: Mapping[int, Curve], metric: str = DISTANCE, share: float = ALIKE) -> list[Part]:
    """That more steps help, from the fewest to the most, and that the last increase of them changes a small share."""
    few, *_ = steps = sorted(by_steps)
    *_, before, last = steps
    parts = []
    for w, at_last in by_steps[last].items():
        gain, still = (apart(by_steps[t][w][metric], at_last[metric]) for t in (few, before))
        parts.append(Part(f"{metric} with T = {few} above that with {last} at w {w:g}", gain))
        what = f"{metric} with T = {before} and {last} apart at w {w:g}"
        parts.append(_within(what, still, share * at_last[metric].value))
    return parts


def _above(metric: str, curve: Curve, more: float, less: float) -> Part:
    difference = apart(curve[more][metric], curve[less][metric])
    return Part(f"{metric} at w {more:g} above that at w {less:g}", difference)


def _within(what: str, difference: Number, border: float) -> Part:
    return Part(f"{what} by less than {border:.3g}", difference, -border, border)


@dataclass(frozen=True)
class Gap:
    """What two frontiers are apart at the same score."""

    score: float
    apart: Number
    level: float  # of the other


def gaps(a: Curve, b: Curve, score: str, metric: str = DISTANCE) -> list[Gap]:
    """a - b at each of SHARES, between the points of each frontier by straight lines; none where they share no scores.

    A split is compared over the scores that it reaches itself, for those of a few samples may lie elsewhere as a whole.
    """
    a, b = (frontier(curve, score, metric) for curve in (a, b))
    splits = len(next(iter(a.values()))[metric].splits)
    ways = [(_line(a, score, metric, k), _line(b, score, metric, k)) for k in (None, *range(splits))]
    if not all(_shared(*way) for way in ways):
        return []
    return [_gap([_between(*way, share) for way in ways]) for share in SHARES]


def _gap(found: Sequence[tuple[float, float, float]]) -> Gap:
    """Of what was found of all samples, and then of each split."""
    ours, theirs, scores = zip(*found, strict=True)
    a, b = (Number(first, nan, nan, tuple(rest)) for first, *rest in (ours, theirs))
    return Gap(scores[0], apart(a, b), b.value)


def frontier(curve: Curve, score: str, metric: str = DISTANCE) -> Curve:
    """The points than which no other has both as good a score and a lower distance."""

    def behind(point: Evaluation) -> bool:
        return any(
            other[score].value >= point[score].value and other[metric].value < point[metric].value
            for other in curve.values()
        )

    return {w: point for w, point in curve.items() if not behind(point)}


def _line(curve: Curve, score: str, metric: str, split: int | None) -> np.ndarray:
    """[2, W]: score and distance at each w, by rising score; of all samples or of one split."""
    numbers = [(point[score], point[metric]) for point in curve.values()]
    return np.array(sorted([x.value if split is None else x.splits[split] for x in pair] for pair in numbers)).T


def _shared(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(max(a[0, 0], b[0, 0]) < min(a[0, -1], b[0, -1]))


def _between(a: np.ndarray, b: np.ndarray, share: float) -> tuple[float, float, float]:
    """Both distances at this share of the way over the scores that both reach, and that score."""
    low, high = max(a[0, 0], b[0, 0]), min(a[0, -1], b[0, -1])
    at = low + share * (high - low)
    return float(np.interp(at, *a)), float(np.interp(at, *b)), float(at)


def _rounded(n: float) -> int:
    """Up, to two digits."""
    unit = 10 ** max(0, int(log10(n)) - 1)
    return ceil(n / unit) * unit
