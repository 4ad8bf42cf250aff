"""A study as a page of Markdown: the verdicts, what they rest on, every point, and how it was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isinf
from typing import Any

from ..numbers import Number
from ..setting import Evaluation
from .claims import Part, Verdict
from .plan import Plan

TITLES = {
    "strength": "The strength of guidance",
    "dropout": "How often the condition is dropped in training",
    "steps": "The number of steps",
}
SHOWN = ("FD", "IS", "class accuracy", "prompt accuracy", "precision", "recall", "diversity", "saturation")
HOLDS = {"confirmed": "yes", "refuted": "no", "undecided": "open"}
Called = Callable[[str], str]  # the name under which a metric is told, as FD-scenes


def page(
    plan: Plan,
    found: Mapping[float, Sequence[Evaluation]],
    judged: Sequence[Verdict],
    protocol: Mapping[str, Any],
    called: Called = str,
    picture: str | None = None,
) -> str:
    """Markdown. `protocol` is what all of it was measured with, `picture` a file beside the page."""
    parts = [f"# {TITLES[plan.study]}", _about(plan, judged), _verdicts(judged)]
    parts += [f"![{TITLES[plan.study]}]({picture})"] if picture else []
    parts += ["## What the verdicts rest on", _rests(), *(_parts(verdict) for verdict in judged)]
    parts += ["## Every point", _points(found, called), "## How it was measured", _protocol(protocol)]
    return "\n\n".join(parts) + "\n"


def _about(plan: Plan, judged: Sequence[Verdict]) -> str:
    models = "one model" if len(plan.drops) == 1 else f"{len(plan.drops)} models"
    dropped = ", ".join(f"{drop:g}" for drop in plan.drops)
    return (
        f"The study of Ho & Salimans 2022 (arXiv:2207.12598) on {models} that dropped the condition with probability "
        f"{dropped}: {judged[0].n:,} samples a point, with the same prompts and noise at every one. The paper's w is "
        "the scale less 1. One training each: the intervals say what other samples would give, not another training."
    )


def _verdicts(judged: Sequence[Verdict]) -> str:
    rows = [(v.claim, v.paper, v.seen, f"**{v.said}**", _decides(v)) for v in judged]
    return _table(("claim", "in the paper", "here", "verdict", "samples that would decide it"), rows)


def _decides(verdict: Verdict) -> str:
    if verdict.said != "undecided":
        return ""
    return "none: right on the border" if verdict.needed is None else f"{verdict.needed:,} a point"


def _rests() -> str:
    return (
        "Each difference is of pairs of splits with the same prompts and noise, with its 95 % interval. A claim is "
        "confirmed where all of its differences lie as it says, and refuted where one lies wholly elsewhere by an "
        "interval that is widened for how many the claim has, for one of many is soon elsewhere by luck (Bonferroni); "
        "the least of several distances is chosen in its favour, and what it is compared by is widened likewise. Each "
        "claim is judged by itself. Samples are those at which the interval of an open difference, were it to stay "
        "as it is, would end at the border: with so many it is decided half the time, with twice as many mostly."
    )


def _parts(verdict: Verdict) -> str:
    rows = [
        (part.what, _number(part.difference), HOLDS[verdict.of(part)], _needs(part, verdict)) for part in verdict.parts
    ]
    return f"### {verdict.claim}\n\n" + _table(("difference", "measured", "as claimed", "samples"), rows)


def _needs(part: Part, verdict: Verdict) -> str:
    needed = verdict.needed_by(part)
    return "" if verdict.of(part) != "undecided" else "none" if isinf(needed) else f"{needed:,.0f}"


def _points(found: Mapping[float, Sequence[Evaluation]], called: Called) -> str:
    every = [(drop, point) for drop, points in found.items() for point in points]
    shown = [name for name in SHOWN if all(name in point.numbers for _, point in every)]
    heads = ("dropped", "T", "w", *map(called, shown), "evaluations an image", "seconds")
    return _table(heads, [_row(drop, point, shown) for drop, point in every], right=len(heads))


def _row(drop: float, point: Evaluation, shown: Sequence[str]) -> tuple[str, ...]:
    numbers = (_number(point[name]) for name in shown)
    cost = f"{point.evaluations:g}", f"{point.seconds:.0f}"
    return f"{drop:g}", f"{point.setting.steps}", f"{point.facts['w']:g}", *numbers, *cost


def _number(number: Number) -> str:
    return f"{number.value:.4g} ({number.low:.4g} to {number.high:.4g})"


def _protocol(protocol: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(protocol, indent=2, ensure_ascii=False)}\n```"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: int = 0) -> str:
    return "\n".join(_lines(heads, rows, right))


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---:' if i < right else '---' for i in range(len(heads)))} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
