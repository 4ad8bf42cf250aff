"""`--scales`: one guidance at many scales."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

from ..errors import UsageError
from ..guidance import Rule, parse


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
