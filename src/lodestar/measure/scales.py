"""One guidance at many scales: a rule with another scale in it, and what it is called whatever its scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ..errors import UsageError
from ..expression import Call
from ..guidance import Rule, parse
from ..guidance.rule import written
from ..guidance.schedules import Shape


def at_scale(guidance: str | None, scale: float) -> Rule:
    """The guidance, cfg if none is written, with this scale in it. Raises UsageError if the rule has none."""
    found = scaled(parse(guidance or "cfg"), scale)
    if found is None:
        raise UsageError(f"--scales needs a rule with a scale in it, and {guidance} has none: use cfg or negative")
    return found


def scaled(rule: Rule, scale: float) -> Rule | None:
    """The rule with this scale in it: that of the innermost rule, or else its own; None if neither has one."""
    names: list[str] = [f.name for f in fields(rule)] if is_dataclass(rule) else []
    inner = scaled(rule.inner, scale) if "inner" in names else None  # type: ignore[attr-defined]
    if inner is not None:
        return replace(rule, inner=inner)  # type: ignore[type-var]
    return replace(rule, scale=scale) if "scale" in names else None  # type: ignore[type-var]


def scale_of(rule: Rule) -> float | None:
    """The scale that `scaled` would replace; None where there is none, and where each sample has its own."""
    inner = scale_of(rule.inner) if hasattr(rule, "inner") else None
    found = getattr(rule, "scale", None) if inner is None else inner
    return found if isinstance(found, float) else None


def short(rule: Rule) -> str:
    """The rule as one would type it: nothing that is left to defaults, but the scale."""
    return str(_typed(rule))


def family(rule: Rule) -> str:
    """What a rule is called at any scale: `rescale(cfg, phi=0.5)` of rescale(cfg(3), phi=0.5)."""
    return str(_typed(rule, bare=True))


def _typed(rule: Any, bare: bool = False) -> Call:
    given, first = dict(_given(rule, bare)), next(f.name for f in fields(rule) if f.init)
    others = tuple((name, value) for name, value in given.items() if name != first)
    return Call(type(rule).__name__.lower(), (given[first],) if first in given else (), others)


def _given(rule: Any, bare: bool) -> Iterator[tuple[str, Any]]:
    """The fields that have to be written."""
    inside = hasattr(rule, "inner") and scaled(rule.inner, 1.0) is not None
    for field in fields(rule):
        value, own = getattr(rule, field.name), field.name == "scale" and not inside
        if field.init and not (own and bare) and (own or value != field.default):
            yield field.name, _value(value, bare)


def _value(value: Any, bare: bool) -> Any:
    if hasattr(value, "asks"):
        return _typed(value, bare)
    return written(value) if isinstance(value, Shape) else value
