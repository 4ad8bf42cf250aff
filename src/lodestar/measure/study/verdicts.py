"""The claims of each study, with what the paper's tables say, judged by the points that were measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...errors import UsageError
from ..setting import Evaluation
from . import claims
from .claims import DISTANCE, SMALL, Curve, Part, Verdict, curve
from .plan import Plan

FIDELITY = ("IS", "class accuracy", "prompt accuracy", "precision")  # the first that is there stands for the paper's IS
DIVERSITY = ("diversity", "recall")
Told = tuple[str, str, str, list[Part]]  # claim, paper, what was seen, parts


def verdicts(plan: Plan, found: Mapping[float, Sequence[Evaluation]]) -> list[Verdict]:
    """Of all claims of a study, of the points of each of its models by its drop."""
    curves = {drop: {steps: curve(points, steps) for steps in plan.steps} for drop, points in found.items()}
    n = min(point.samples for points in found.values() for point in points)
    told = _CLAIMS[plan.study](plan, curves)
    return [Verdict(claim, paper, parts, n, seen) for claim, paper, seen, parts in told]


def measured(names: Sequence[str], points: Sequence[Evaluation]) -> list[str]:
    """Those of these metrics that the points have, and by splits."""
    return [n for n in names if all(n in p.numbers and len(p[n].splits) > 1 for p in points)]


def _strength(plan: Plan, curves: Mapping[float, Mapping[int, Curve]]) -> Iterator[Told]:
    points = curves[plan.drops[0]][plan.steps[0]]
    every = [*points.values()]
    paper = "FID 1.80 at w 0, 1.55 at 0.1, 26.2 at 4 (Table 1)"
    least = f"The Frechet distance is least at a small w, above 0 and up to {SMALL:g}"
    yield least, paper, _along(points, DISTANCE), claims.interior_minimum(points)
    for name in measured(FIDELITY, every):
        seen, paper = _along(points, name), "IS 53.7 at w 0, 66.1 or more above it (Table 1)"
        yield (
            f"Fidelity is higher at every w than without guidance: {name}",
            paper,
            seen,
            claims.above_none(points, name),
        )
        paper = "IS rises at every w, from 53.7 at 0 to 260 at 4 (Table 1)"
        yield f"Fidelity rises from each w to the next: {name}", paper, seen, claims.rising(points, name)
    for name in measured(DIVERSITY, every):
        seen, paper = _along(points, name), "said, not measured"
        yield f"Diversity falls from each w to the next: {name}", paper, seen, claims.falling(points, name)
    for name in measured(["saturation"], every):
        seen, paper = _along(points, name), "shown, not measured (Fig. 3)"
        yield "Saturation of colours rises from each w to the next", paper, seen, claims.rising(points, name)


def _along(points: Curve, metric: str) -> str:
    """Its values at both ends, and those between that are beyond them."""
    first, *_, last = points
    values = {w: point[metric].value for w, point in points.items()}
    told = sorted({first, last, min(points, key=values.__getitem__), max(points, key=values.__getitem__)})
    return ", ".join(f"{values[w]:.3g} at w {w:g}" for w in told)


def _dropout(plan: Plan, curves: Mapping[float, Mapping[int, Curve]]) -> Iterator[Told]:
    models = {drop: at[plan.steps[0]] for drop, at in curves.items()}
    first, second, *_, most = plan.drops
    score = score_of([*models[first].values()])
    paper = "FID 1.55 and 1.62 at w 0.1, IS 66.1 and 64.6 (Table 1)"
    same = f"Models that dropped {first:g} and {second:g} have one frontier ({DISTANCE} against {score})"
    yield same, paper, _beside(models[first], models[second], score), claims.alike(models[first], models[second], score)
    others = {f"{drop:g}": points for drop, points in models.items() if drop != most}
    worse = f"One that dropped {most:g} has a worse frontier than those that dropped less"
    paper = "FID 1.91 at w 0.1, IS 56.1 (Table 1)"
    seen = _beside(models[most], models[first], score)
    yield worse, paper, seen, claims.worse(models[most], others, score)


def _beside(a: Curve, b: Curve, score: str) -> str:
    """The distances of two frontiers, halfway up the scores; where one has a single score, at that."""
    found = claims.gaps(a, b, score)
    half = found[len(found) // 2]
    return f"{DISTANCE} {half.level + half.apart.value:.3g} and {half.level:.3g} at {score} {half.score:.3g}"


def _steps(plan: Plan, curves: Mapping[float, Mapping[int, Curve]]) -> Iterator[Told]:
    by_steps = curves[plan.drops[0]]
    *_, before, last = plan.steps
    paper, seen = "FID 3.04, 2.43 and 2.43 at T 128, 256 and 1024, w 0.3 (Table 2)", _by_steps(by_steps)
    yield f"More steps gain, from T = {plan.steps[0]} to {last}", paper, seen, claims.gaining(by_steps)
    yield f"They gain little more from T = {before} to {last}", paper, seen, claims.settled(by_steps)


def _by_steps(by_steps: Mapping[int, Curve]) -> str:
    """The distances with each number of steps, at the w where they are least."""
    last = by_steps[max(by_steps)]
    best = min(last, key=lambda w: last[w][DISTANCE].value)
    told = ", ".join(f"{points[best][DISTANCE].value:.3g} at T {steps}" for steps, points in by_steps.items())
    return f"{DISTANCE} {told}, w {best:g}"


def score_of(points: Sequence[Evaluation]) -> str:
    """What stands for the paper's inception score. Raises UsageError where nothing does."""
    found = measured(FIDELITY, points)
    if not found:
        raise UsageError(f"a study takes a score of fidelity, and none of {', '.join(FIDELITY)} was measured")
    return found[0]


_CLAIMS = {"strength": _strength, "dropout": _dropout, "steps": _steps}
