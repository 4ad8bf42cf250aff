"""One guidance at many scales."""

from dataclasses import dataclass

import pytest

from lodestar.errors import UsageError
from lodestar.guidance import CFG, Interval, parse
from lodestar.measure.scales import at_scale, family, scale_of, short


def test_the_scale_is_that_of_the_innermost_rule():
    assert at_scale("cfg(2)", 3.0) == CFG(3)
    assert at_scale(None, 3.0) == CFG(3)
    assert at_scale("interval(cfg(2), hi=5)", 3.0) == Interval(CFG(3), hi=5)
    assert str(at_scale("mimic(cfg(2), scale=7)", 3.0)).startswith("mimic(cfg(3), scale=7")
    assert str(at_scale("mimic(edit, scale=7)", 3.0)).startswith("mimic(edit(7.5, image=1.5), scale=3")


def test_a_rule_without_a_scale_is_refused(monkeypatch):
    @dataclass(frozen=True)
    class Bare:
        pass

    monkeypatch.setattr("lodestar.measure.scales.parse", lambda _: Bare())
    with pytest.raises(UsageError, match="bare has none: use cfg"):
        at_scale("bare", 3.0)


@pytest.mark.parametrize(
    ("rule", "scale", "named", "typed"),
    [
        ("cfg(3)", 3, "cfg", "cfg(3)"),
        ("cfg", 4, "cfg", "cfg(4)"),
        ("apg(2, momentum=-.5)", 2, "apg(momentum=-0.5)", "apg(2, momentum=-0.5)"),
        ("interval(rescale(cfg(3)), lo=.2)", 3, "interval(rescale(cfg), lo=0.2)", "interval(rescale(cfg(3)), lo=0.2)"),
        ("mimic(cfg(9), scale=3)", 9, "mimic(cfg, scale=3)", "mimic(cfg(9), scale=3)"),
        ("mimic(edit, scale=3)", 3, "mimic(edit)", "mimic(edit, scale=3)"),
        ("schedule(cfg(3), shape=linear())", 3, "schedule(cfg, shape=linear(0, clean=2))", None),
        ("cfgpp(.4)", None, "cfgpp(0.4)", "cfgpp(0.4)"),
        ("cfg([2, 3])", None, "cfg", "cfg([2, 3])"),
    ],
)
def test_a_rule_has_a_name_at_any_scale(rule, scale, named, typed):
    made = parse(rule)
    assert scale_of(made) == scale
    assert family(made) == named
    assert typed is None or short(made) == typed
    assert parse(short(made)) == made
