"""Intervals: they contain the truth as often as they say."""

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.measure.metrics.interval import bootstrap, by_splits, student

DRAWS = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0)).double()


def test_of_four_splits_about_95_of_100_contain_the_mean():
    inside = sum(0.0 in by_splits(row.tolist()) for row in DRAWS)
    assert 930 <= inside <= 970


def test_of_two_values_by_hand():
    found = by_splits([1.0, 3.0])
    assert (found.value, found.n) == (2, 2)
    assert (found.low, found.high) == pytest.approx((2 - 12.7062, 2 + 12.7062))


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (4, 2.776), (11, 2.201), (30, 2.0423), (1000, 1.9623)])
def test_students_percentiles(freedom, t):
    assert student(freedom) == pytest.approx(t, abs=6e-4)


def test_a_bootstrap_of_a_mean_is_as_wide_as_theory_says_and_the_same_again():
    x = torch.randn(400, generator=torch.Generator().manual_seed(1))
    found = bootstrap(lambda rows: float(x[rows].mean()), 400)
    assert found.value == pytest.approx(float(x.mean()))
    assert found.high - found.low == pytest.approx(2 * 1.96 * float(x.std()) / 20, rel=0.1)
    assert bootstrap(lambda rows: float(x[rows].mean()), 400) == found


def test_too_few_values_are_refused():
    for bad in ([1.0], [1.0, float("nan")]):
        with pytest.raises(UsageError, match="at least 2 finite values"):
            by_splits(bad)
    with pytest.raises(UsageError, match="at least 2 rows"):
        bootstrap(lambda rows: 0.0, 1)


@pytest.mark.parametrize("freedom", [1, 2, 9, 10, 30, 31, 200])
@pytest.mark.parametrize("outside", [0.05, 0.01, 0.05 / 6])
def test_students_percentiles_for_any_share_are_scipys(freedom, outside):
    stats = pytest.importorskip("scipy.stats")
    assert student(freedom, outside) == pytest.approx(stats.t.ppf(1 - outside / 2, freedom), rel=1e-4)
