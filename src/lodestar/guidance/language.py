"""One language for rules: `parse("interval(cfg(4), lo=.28, hi=5.4)")`, and `str(rule)` prints it back.

Names and fields come from the registry, values are numbers, texts, lists (one number for each sample) and rules; the
grammar is in `expression.py`. Nothing is ever evaluated.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields

from .. import expression
from ..errors import UsageError, unknown
from ..expression import Call
from . import rules  # noqa: F401  (fills the registry)
from .rule import RULES, Rule


def parse(text: str) -> Rule:
    """The rule that this text names. Raises UsageError, in one line, with the nearest name where one is unknown."""
    return _rule(expression.parse_call(text))


def _rule(call: Call) -> Rule:
    cls = RULES.get(call.name.lower())
    if cls is None:
        raise unknown("rule", call.name, RULES)
    known = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
    given = call.bind(list(known))
    missing = [f.name for f in known.values() if f.name not in given and f.default is MISSING]
    if missing:
        raise UsageError(f"{call.name} needs {missing[0]}: write {call.name}({missing[0]}=...)")
    return cls(**{name: _value(known[name], value) for name, value in given.items()})


def _value(field: Field[object], value: expression.Value) -> object:
    """A nested rule where one is written; a bare word where no rule is meant stays text, for the field to refuse."""
    if not isinstance(value, Call):
        return value
    bare = not value.args and not value.keywords and value.name.lower() not in RULES
    return value.name if bare and field.type not in ("Rule", Rule) else _rule(value)
