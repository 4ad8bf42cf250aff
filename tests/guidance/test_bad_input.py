"""What every registered rule says of values that it cannot take, and of a model that has not what it needs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from torch import Tensor

from lodestar.core import Step
from lodestar.errors import UsageError
from lodestar.guidance import CFG, RULES, Ask, Number, Rule, Wrapper, guide
from lodestar.guidance.rule import asks_of
from lodestar.process import Flow, levels

B = 4
GRID = levels(Flow(), 6)
X = torch.zeros(B, 1, 2, 2)
NO_NUMBERS = ["all", None, True, 1j, [], [0.5, "x"], [0.5, math.nan], math.nan, CFG, torch.ones(2, 2), torch.ones(0)]
NO_VALUES = [[[1.0]], object(), "no such thing", 3.7, None, -1, math.nan, torch.ones(2, 2), CFG]


def made(cls: type[Rule], **values: object) -> Rule:
    """The rule with these values, a wrapper around no guidance."""
    inner = {"inner": CFG(1)} if issubclass(cls, Wrapper) else {}
    return cls(**{**inner, **values})


def parameters() -> Iterator[Any]:
    """Every field of every rule, with its type."""
    for name, cls in sorted(RULES.items()):
        hints = get_type_hints(cls)
        for field in (f.name for f in fields(cls) if f.init):  # type: ignore[arg-type]
            yield pytest.param(cls, field, hints[field], id=f"{name}.{field}")


def said(cls: type[Rule], field: str, value: object) -> str:
    """The one line that is said of a value."""
    with pytest.raises(UsageError) as error:
        made(cls, **{field: value})
    line = str(error.value)
    assert len(line.splitlines()) == 1
    assert re.search(rf"\b{field}\b", line)
    return line


@pytest.mark.parametrize(("cls", "field", "kind"), [p for p in parameters() if p.values[2] == Number])
def test_a_number_that_it_cannot_be_is_told_with_its_range(cls: type[Rule], field: str, kind: object) -> None:
    least, most = getattr(cls, "ranges", {}).get(field, (-math.inf, math.inf))
    must = f"{field} must lie in [{least:g}, {most:g}], got " if field in getattr(cls, "ranges", {}) else ""
    must = must or f"{field} must be finite, got "
    beyond = [*([least - 1, [least - 1] * B] if least > -math.inf else []), *([most + 1] if most < math.inf else [])]
    endless = [] if field in getattr(cls, "ranges", {}) else [math.inf, -math.inf, [0.5, math.inf]]
    for value in [*beyond, *endless, *NO_NUMBERS]:
        line = said(cls, field, value)
        shape = isinstance(value, Tensor) or value == []
        assert line.startswith(f"{field} must be a number, or one for each sample, got " if shape else must)


@pytest.mark.parametrize(("cls", "field", "kind"), [p for p in parameters() if p.values[2] != Number])
def test_what_else_it_cannot_be_is_told_by_the_fields_name(cls: type[Rule], field: str, kind: Any) -> None:
    for value in NO_VALUES:
        if isinstance(value, str) and kind in (str, Sequence[str]):
            continue
        if isinstance(value, list | Tensor) and kind in (Sequence[Number], Sequence[Sequence[Number]]):
            continue
        line = said(cls, field, value)
        if get_origin(kind) is Literal:
            assert all(choice in line for choice in get_args(kind))
        if kind is int:
            assert f"at least {cls.ranges[field][0]}" in line  # type: ignore[attr-defined]


@pytest.mark.parametrize(("cls", "field", "kind"), [p for p in parameters() if p.values[2] == Number])
def test_numbers_for_another_batch_are_refused(cls: type[Rule], field: str, kind: object) -> None:
    rule = made(cls, **{field: [getattr(made(cls), field)] * (B + 1)})
    with pytest.raises(UsageError, match=rf"^{field} has {B + 1} values for a batch of {B}: give one number, or one"):
        guide(rule, lambda x, level, c: x, kind="v")(X, Step(GRID[2]))


# What a model has not.


def lacking(ask: Ask) -> dict[str, str]:
    """What a bare network has not of this, by the words that tell how to get it."""
    wanted = {
        "null": "named={'null': ...}" if ask.drop is True else "",
        "parts": "use a Joint" if isinstance(ask.drop, frozenset) else "",
        ask.replace or "": f"named={{'{ask.replace}': ...}}" if ask.replace else "",
        ask.net: f"nets={{'{ask.net}': ...}}" if ask.net != "main" else "",
        f"hook '{ask.hook}'": "give it a method hooked(name)" if ask.hook else "",
        f"head '{ask.head}'": "train one with it" if ask.head != "main" else "",
        "noise levels": "pass process=" if ask.level != 1 else "",
        ask.gradient or "": f"gradients={{'{ask.gradient}': log_p}}" if ask.gradient else "",
        "derivative": "(no_grad)" if ask.grad else "",
    }
    return {name: mend for name, mend in wanted.items() if mend}


@torch.no_grad()
def bare(x: Tensor, level: object, condition: Tensor) -> Tensor:
    return x.detach()


def trajectory(rule: Rule) -> None:
    guided = guide(rule, bare, torch.zeros(B), kind="v").begin()
    for i, level in enumerate(GRID[:-1]):
        guided(X, Step(level, i, len(GRID) - 1))


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_model_that_has_not_what_a_rule_needs_is_told_what_and_how_to_get_it(name: str) -> None:
    rule = made(RULES[name])
    needed = [lacking(a) for a in asks_of(rule, GRID) if a.rows is None or a.rows.any()]
    wanted = {what: mend for each in needed for what, mend in each.items()}
    if not wanted:
        assert issubclass(RULES[name], Wrapper), "it asks nothing but the conditional by its defaults"
        return
    with pytest.raises(UsageError) as error:
        trajectory(rule)
    line = str(error.value)
    assert len(line.splitlines()) == 1
    assert any(what in line and mend in line for what, mend in wanted.items()), line
