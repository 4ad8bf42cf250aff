"""One guidance at many scales."""

from dataclasses import dataclass

import pytest

from lodestar.cli.scales import at_scale
from lodestar.errors import UsageError
from lodestar.guidance import CFG, Interval


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

    monkeypatch.setattr("lodestar.cli.scales.parse", lambda _: Bare())
    with pytest.raises(UsageError, match="bare has none: use cfg"):
        at_scale("bare", 3.0)
