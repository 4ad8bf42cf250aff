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
Told = tuple[str, str, list[Part]]  # claim, paper, parts


def verdicts(plan: Plan, found: Mapping[float, Sequence[Evaluation]]) -> list[Verdict]:
    """Of all claims of a study, of the points of each of its models by its drop."""
    curves = {drop: {steps: curve(points, steps) for steps in plan.steps} for drop, points in found.items()}
    n = min(point.samples for points in found.values() for point in points)
    return [Verdict(claim, paper, parts, n) for claim, paper, parts in _CLAIMS[plan.study](plan, curves)]


def measured(names: Sequence[str], points: Sequence[Evaluation]) -> list[str]:
    """Those of these metrics that the points have, and by splits."""
    return [n for n in names if all(n in p.numbers and len(p[n].splits) > 1 for p in points)]


def _strength(plan: Plan, curves: Mapping[float, Mapping[int, Curve]]) -> Iterator[Told]:
    points = curves[plan.drops[0]][plan.steps[0]]
    every = [*points.values()]
    paper = "FID 1.80 at w 0, 1.55 at 0.1, 26.2 at 4 (Table 1)"
    least = f"The Frechet distance is least at a small w, above 0 and up to {SMALL:g}"
    yield least, paper, claims.interior_minimum(points)
    for name in measured(FIDELITY, every):
        yield f"Fidelity rises with w: {name}", "IS 53.7 at w 0, 260 at 4 (Table 1)", claims.rising(points, name)
    for name in measured(DIVERSITY, every):
        yield f"Diversity falls with w: {name}", "said, not measured", claims.falling(points, name)
    for name in measured(["saturation"], every):
        yield "Saturation of colours rises with w", "shown, not measured (Fig. 3)", claims.rising(points, name)


def _dropout(plan: Plan, curves: Mapping[float, Mapping[int, Curve]]) -> Iterator[Told]:
    models = {drop: at[plan.steps[0]] for drop, at in curves.items()}
    first, second, *_, most = plan.drops
    score = score_of([*models[first].values()])
    paper = "FID 1.55 and 1.62 at w 0.1, IS 66.1 and 64.6 (Table 1)"
    same = f"Models that dropped {first:g} and {second:g} have one frontier ({DISTANCE} against {score})"
    yield same, paper, claims.alike(models[first], models[second], score)
    others = {f"{drop:g}": points for drop, points in models.items() if drop != most}
    worse = f"One that dropped {most:g} has a worse frontier than those that dropped less"
    yield worse, "FID 1.91 at w 0.1, IS 56.1 (Table 1)", claims.worse(models[most], others, score)


def _steps(plan: Plan, curves: Mapping[float, Mapping[int, Curve]]) -> Iterator[Told]:
    claim = f"More steps gain, and no longer do by T = {plan.steps[-1]}"
    paper = "FID 3.04, 2.43 and 2.43 at T 128, 256 and 1024, w 0.3 (Table 2)"
    yield claim, paper, claims.saturating(curves[plan.drops[0]])


def score_of(points: Sequence[Evaluation]) -> str:
    """What stands for the paper's inception score. Raises UsageError where nothing does."""
    found = measured(FIDELITY, points)
    if not found:
        raise UsageError(f"a study takes a score of fidelity, and none of {', '.join(FIDELITY)} was measured")
    return found[0]


_CLAIMS = {"strength": _strength, "dropout": _dropout, "steps": _steps}
