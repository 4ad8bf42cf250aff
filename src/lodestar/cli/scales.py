"""`--scales`: one guidance at many scales."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

from ..errors import UsageError
from ..guidance import Rule, parse


def at_scale(guidance: str | None, scale: float) -> Rule:
    """The guidance, cfg if none is written, with this scale in it. Raises UsageError if the rule has none."""
    return _scaled(parse(guidance or "cfg"), scale, str(guidance))


def _scaled(rule: Rule, scale: float, written: str) -> Rule:
    names: list[str] = [f.name for f in fields(rule)] if is_dataclass(rule) else []
    if "scale" in names:
        return replace(rule, scale=scale)  # type: ignore[type-var]
    if "inner" in names:
        return replace(rule, inner=_scaled(rule.inner, scale, written))  # type: ignore[attr-defined, type-var]
    raise UsageError(f"--scales needs a rule with a scale in it, and {written} has none: use cfg or negative")
