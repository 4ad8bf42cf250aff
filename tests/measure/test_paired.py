"""What is apart in two settings."""

import pytest

from bowl import Bowl
from lodestar.measure.numbers import Number
from lodestar.measure.paired import differences, verdict
from lodestar.measure.setting import Setting


def test_what_all_settings_share_is_no_part_of_a_difference():
    bench = Bowl()
    a, b = (bench(Setting(f"cfg({scale})")) for scale in (3, 4))
    assert a["FD"].high > b["FD"].low  # by their own intervals nobody could tell
    found = differences(a, b)
    assert found.keys() == {"FD", "prompt accuracy", "saturation"}
    assert found["FD"].value == pytest.approx(-1)
    assert found["FD"].high == pytest.approx(-1)
    assert verdict("FD", found["FD"]) == "better"
    assert verdict("prompt accuracy", found["prompt accuracy"]) == "worse"
    assert verdict("saturation", found["saturation"]) == "less"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-1, 1, "undecided"), (0.1, 1, "worse"), (-1, -0.1, "better"), (float("nan"), float("nan"), "undecided")],
)
def test_a_verdict_needs_an_interval_without_0(low, high, said):
    assert verdict("FD", Number((low + high) / 2, low, high, (0.0,) * 10)) == said


def test_of_a_few_splits_nothing_is_said():
    assert verdict("FD", Number(-2, -2, -2, (-2.0, -2.0))) == "undecided"
