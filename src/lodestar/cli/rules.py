"""`lodestar rules`: every registered rule, schedule, sampler and grid, read off the code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, dataclass, fields
from math import isfinite
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ..errors import UsageError, unknown
from ..expression import show
from .command import Command
from .config import to_json
from .show import table


@dataclass(frozen=True, kw_only=True)
class Rules(Command):
    """List the guidance rules, their schedules, the samplers and the grids of levels, with fields and sources."""

    rule: Positional[Annotated[str | None, arg(metavar="[NAME]")]] = None  # tell all of this one

    def resolved(self) -> Rules:
        from ..guidance import RULES

        if self.rule is not None and self.rule not in RULES:
            raise self._other(self.rule) or unknown("rule", self.rule, RULES)
        return self

    def _other(self, name: str) -> UsageError | None:
        """The error for what is registered, and is no rule."""
        from ..guidance.schedules import SHAPES
        from ..process import GRIDS
        from ..samplers import SAMPLERS

        others: dict[str, Collection[str]] = {"schedule": SHAPES, "sampler": SAMPLERS, "grid": GRIDS}
        for kind, names in others.items():
            if name in names:
                return UsageError(f"'{name}' is a {kind} and no rule: lodestar rules lists it")
        return None

    def run(self) -> dict[str, object]:
        found = self._all() if self.resolved().rule is None else self._one(str(self.rule))
        return {"config": to_json(self), **_typed(found)}

    def _one(self, name: str) -> dict[str, object]:
        from .entry import entry, tell

        tell(found := entry(name))
        return {"rule": found}

    def _all(self) -> dict[str, object]:
        from ..guidance import RULES
        from ..guidance.schedules import SHAPES
        from ..process import GRIDS
        from ..samplers import SAMPLERS

        rules = [_rule(name, cls) for name, cls in sorted(RULES.items())]
        shapes = [_shape(name, cls) for name, cls in sorted(SHAPES.items())]
        samplers = [_sampler(name, function) for name, function in sorted(SAMPLERS.items())]
        grids = [_function(name, function) for name, function in sorted(GRIDS.items())]
        table(
            ("rule", "neutral", "what it is", "source"),
            [(_written(r), _given(r["neutral"]) or "-", r["about"], r["source"]) for r in rules],
        )
        print()
        table(("schedule", "what it is"), [(_written(s), s["about"]) for s in shapes])
        print()
        table(("sampler", "source"), [(_written(s), s["source"]) for s in samplers])
        print()
        table(("grid", "what it is"), [(_written(g), g["about"]) for g in grids])
        return {"rules": rules, "schedules": shapes, "samplers": samplers, "grids": grids}


def _typed(value: Any) -> Any:
    """The same for JSON: a rule, a schedule or a number without end as it is typed."""
    if isinstance(value, dict):
        return {name: _typed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_typed(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return show(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _shape(name: str, cls: type) -> dict[str, Any]:
    return {"name": name, "fields": {f.name: _default(f) for f in fields(cls)}, "about": _first_line(cls)}


def _rule(name: str, cls: type) -> dict[str, Any]:
    from ..citing import cited

    return {
        "name": name,
        "fields": {f.name: _default(f) for f in fields(cls) if f.init},
        "neutral": dict(getattr(cls, "neutral", {})),
        "about": _first_line(cls),
        "source": cited(cls),
    }


def _sampler(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    from ..citing import cited

    return {**_function(name, function), "source": cited(function)}


def _function(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    from ..samplers import own_keywords

    parameters = inspect.signature(function).parameters
    own = {k: parameters[k].default for k in own_keywords(function)}
    return {"name": name, "fields": own, "about": _first_line(function)}


def _default(field: Field[Any]) -> Any:
    """The default; None where a value has to be given, as for the rule that a wrapper is around."""
    return None if field.default is MISSING else field.default


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


def _written(entry: dict[str, Any]) -> str:
    """The entry as it is typed, with its defaults: interval(inner, lo=0.28, hi=5.42)."""
    return f"{entry['name']}({_given(entry['fields'])})" if entry["fields"] else entry["name"]


def _given(values: dict[str, Any]) -> str:
    return ", ".join(k if v is None else f"{k}={show(v)}" for k, v in values.items())
