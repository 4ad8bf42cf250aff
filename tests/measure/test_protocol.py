"""What would mislead in numbers is told beside them."""

import pytest
from benches import Colours

from lodestar.measure.protocol import cautions

SEES = Colours(size=(3, 16, 16))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"a": 50, "b": 50}, ""),
        ({"a": 90, "b": 10}, "unequal numbers:"),
        ({"a": 100}, "unequal numbers, and 1 of 2 not at all:"),
        (None, ""),
    ],
)
def test_classes_in_unequal_numbers(labels, said):
    told = [line for line in cautions(100, SEES, None, labels, classes=2 if labels else 0) if "classes" in line]
    assert len(told) == bool(said)
    assert all(said in line for line in told)


def test_few_samples_are_told_by_the_columns():
    assert list(cautions(100 * SEES.dim, SEES, None)) == []
    [told] = cautions(SEES.dim - 1, SEES, None)
    assert "fewer than" in told
