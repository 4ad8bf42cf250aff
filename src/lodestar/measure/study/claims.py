"""Claims about curves, judged by what was measured: confirmed, refuted or undecided, and then what n would decide.

A claim is that each of some differences lies where it says: above 0, or within a margin of it. Differences are of
pairs of splits with the same prompts and noise (`numbers.apart`), each with a 95 % interval of its own.

confirmed   every interval lies where the claim says; that all of them do by luck is no likelier than that one does
refuted     one lies wholly elsewhere, with an interval widened for how many there are (Bonferroni), for one of many
            is soon elsewhere by luck
undecided   neither: were the difference to stay as it is, its interval, which shrinks as 1 / sqrt(n), would end at
            the border at n (half its width / distance to the border)^2 samples: with so many it is decided half the
            time, with twice as many mostly
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, inf, isfinite, log10
from typing import Literal, TypeAlias

import numpy as np

from ...errors import UsageError
from ..metrics.interval import OUTSIDE, student
from ..numbers import Number, apart, left_out
from ..setting import Evaluation

Curve: TypeAlias = Mapping[float, Evaluation]  # by the paper's w, rising
Said: TypeAlias = Literal["confirmed", "refuted", "undecided"]

DISTANCE = "FD"
SMALL = 1.0  # the paper's best w are 0.1 to 0.4
ALIKE = 0.1  # share of a distance that two may be apart and are still called alike
SHARES = (0.25, 0.5, 0.75)  # of the way up to the highest score that two frontiers reach, where they are compared


@dataclass(frozen=True)
class Part:
    """A difference, and where a claim wants it: between `least` and `most`."""

    what: str
    difference: Number
    least: float = 0.0
    most: float = inf
    chosen: int = 1  # of how many such differences the one that favours the claim most was taken

    def holds(self) -> bool:
        half = self.half(self.chosen)
        return self.least < self.difference.value - half and self.difference.value + half < self.most

    def fails(self, among: int = 1) -> bool:
        """Where it is one of so many, each of which would refute the claim."""
        half = self.half(among)
        return self.difference.value + half < self.least or self.difference.value - half > self.most

    @property
    def leans(self) -> bool:
        """Whether the value alone is where it should be."""
        return self.least < self.difference.value < self.most

    def half(self, among: int = 1) -> float:
        """Of the width of an interval that is as sure for so many differences together as one of 95 % is for one."""
        half, freedom = (self.difference.high - self.difference.low) / 2, len(self.difference.splits) - 1
        return half if among == 1 else half * student(freedom, OUTSIDE / among) / student(freedom)

    def needed(self, n: int, among: int = 1) -> float:
        """The samples that would decide it, where these are of n; infinite where it is right on the border."""
        value = self.difference.value
        away = min(abs(value - border) for border in (self.least, self.most) if isfinite(border))
        return inf if away == 0 else n * (self.half(self.chosen if self.leans else among) / away) ** 2


@dataclass(frozen=True)
class Verdict:
    """A claim, what the paper measured, and what was measured here."""

    claim: str
    paper: str
    parts: Sequence[Part]
    n: int  # samples of each point
    seen: str = ""  # here, in short

    @property
    def said(self) -> Said:
        of_parts = {self.of(part) for part in self.parts}
        if "refuted" in of_parts:
            return "refuted"
        return "confirmed" if of_parts == {"confirmed"} else "undecided"

    def of(self, part: Part) -> Said:
        """Of one of the parts."""
        if part.fails(len(self.parts)):
            return "refuted"
        return "confirmed" if part.holds() else "undecided"

    @property
    def needed(self) -> int | None:
        """Of an undecided claim the samples that would decide it, to two digits; None where no number would."""
        still = [part for part in self.parts if self.of(part) == "undecided"]
        if self.said != "undecided" or not still:
            return None
        against = [self.needed_by(part) for part in still if not part.leans]  # one of them would be enough
        samples = min(against) if against else max(map(self.needed_by, still))
        return _rounded(samples) if isfinite(samples) else None

    def needed_by(self, part: Part) -> float:
        """The samples that would decide this part."""
        return part.needed(self.n, len(self.parts))


def curve(points: Iterable[Evaluation], steps: int) -> Curve:
    """Those with so many steps, by w."""
    found = {point.facts["w"]: point for point in points if point.setting.steps == steps}
    return dict(sorted(found.items()))


def interior_minimum(curve: Curve, metric: str = DISTANCE, small: float = SMALL) -> list[Part]:
    """That the least value above w = 0 and up to `small` is below that at 0 and all those beyond.

    It is the least as measured, which favours the claim: where it was chosen of several, intervals are as much wider.
    Raises UsageError where there is nothing on one of the three sides.
    """
    inside, outside = [w for w in curve if 0 < w <= small], [w for w in curve if not 0 < w <= small]
    if not inside or 0 not in outside or max(outside) == 0:
        got = ", ".join(f"{w:g}" for w in curve)
        raise UsageError(f"a minimum at small w takes w = 0, some up to {small:g} and some above it, got {got}")
    best = min(inside, key=lambda w: curve[w][metric].value)
    return [replace(_above(metric, curve, w, best), chosen=len(inside)) for w in outside]


def rising(curve: Curve, metric: str) -> list[Part]:
    """That it is more at each w than at the one before."""
    return [_above(metric, curve, high, low) for low, high in pairwise(curve)]


def above_none(curve: Curve, metric: str) -> list[Part]:
    """That it is more at every w than without guidance, at the first."""
    none, *others = curve
    return [_above(metric, curve, w, none) for w in others]


def falling(curve: Curve, metric: str) -> list[Part]:
    """That it is less at each w than at the one before."""
    return [_above(metric, curve, low, high) for low, high in pairwise(curve)]


def worse(curve: Curve, others: Mapping[str, Curve], score: str, metric: str = DISTANCE) -> list[Part]:
    """That at the same score its distance is more than on each of the others, up to the highest that both reach."""
    return [
        Part(f"{metric} above that of {name} at {score} {gap.score:.3g}", gap.apart)
        for name, other in others.items()
        for gap in gaps(curve, other, score, metric)
    ]


def alike(curve: Curve, other: Curve, score: str, metric: str = DISTANCE, share: float = ALIKE) -> list[Part]:
    """That at the same score the distances are within this share of the other's, up to the highest that both reach."""
    return [
        _within(f"{metric} apart at {score} {gap.score:.3g}", gap.apart, share * gap.level)
        for gap in gaps(curve, other, score, metric)
    ]


def gaining(by_steps: Mapping[int, Curve], metric: str = DISTANCE) -> list[Part]:
    """That it is less with the most steps than with the fewest."""
    few, *_, last = sorted(by_steps)
    return [
        Part(f"{metric} with T = {few} above that with {last} at w {w:g}", apart(by_steps[few][w][metric], end[metric]))
        for w, end in by_steps[last].items()
    ]


def settled(by_steps: Mapping[int, Curve], metric: str = DISTANCE, share: float = ALIKE) -> list[Part]:
    """That the last increase of steps changes it by a small share."""
    *_, before, last = sorted(by_steps)
    return [
        _within(
            f"{metric} with T = {before} and {last} apart at w {w:g}",
            apart(by_steps[before][w][metric], end[metric]),
            share * end[metric].value,
        )
        for w, end in by_steps[last].items()
    ]


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
    """a - b at each of SHARES: the least distance of each at a score no lower than this, between points by straight
    lines, up to the highest score that both reach.

    Splits are what each adds (Tukey's jackknife: ../numbers.py): a few samples alone reach other scores than all do.
    """
    lines = [_lines(frontier(curve, score, metric), score, metric) for curve in (a, b)]
    found = [_gap([_between(one, other, share) for one, other in zip(*lines, strict=True)]) for share in SHARES]
    return list({gap.score: gap for gap in found}.values())  # a frontier may be of one score


def _gap(found: Sequence[tuple[float, float, float]]) -> Gap:
    """Of what was found with all samples, and then without each split."""
    ours, theirs, scores = zip(*found, strict=True)
    return Gap(scores[0], left_out(ours[0] - theirs[0], np.subtract(ours, theirs)[1:].tolist()), theirs[0])


def frontier(curve: Curve, score: str, metric: str = DISTANCE) -> Curve:
    """The points than which no other has both as good a score and a lower distance."""

    def behind(point: Evaluation) -> bool:
        return any(
            other[score].value >= point[score].value and other[metric].value < point[metric].value
            for other in curve.values()
        )

    return {w: point for w, point in curve.items() if not behind(point)}


def _lines(curve: Curve, score: str, metric: str) -> list[np.ndarray]:
    """[2, W] each: score and distance at each w, by rising score; with all samples, and without each split."""
    found = np.array([[_without(point[name]) for name in (score, metric)] for point in curve.values()])  # [W, 2, 1 + K]
    return [_falling_back(np.array(sorted(way.tolist())).T) for way in found.transpose(2, 0, 1)]


def _falling_back(line: np.ndarray) -> np.ndarray:
    """With the least distance at each score or a higher one: without a split a point may lie behind another."""
    scores, distances = line
    return np.array([scores, np.minimum.accumulate(distances[::-1])[::-1]])


def _without(number: Number) -> list[float]:
    """The value, and what it is without each split."""
    k = len(number.splits)
    return [number.value, *((k * number.value - split) / (k - 1) for split in number.splits)]


def _between(a: np.ndarray, b: np.ndarray, share: float) -> tuple[float, float, float]:
    """Both distances at this share of the way from the lowest score of a frontier to the highest of both, and it.

    Below the lowest score of its frontier the least distance of a curve is the one there.
    """
    low, high = min(a[0, 0], b[0, 0]), min(a[0, -1], b[0, -1])
    at = low + share * (high - low)
    return float(np.interp(at, *a)), float(np.interp(at, *b)), float(at)


def _rounded(n: float) -> int:
    """Up, to two digits."""
    unit = 10 ** max(0, int(log10(n)) - 1)
    return ceil(n / unit) * unit
