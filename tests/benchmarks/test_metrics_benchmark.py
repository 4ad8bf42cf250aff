"""That the three sides of the metrics' benchmark give the same numbers, and that it runs."""

import pytest

from benchmarks import metrics
from benchmarks.metrics import QUICK, Size, features
from benchmarks.options import Options


def test_all_sides_give_the_same_numbers():
    real, generated = features(QUICK)
    ours = metrics.ours(real, generated, QUICK)
    for side in (metrics.fidelity, metrics.plain):
        assert dict(side(real, generated, QUICK)) == pytest.approx(dict(ours), rel=1e-5)
    assert 0.2 < ours["precision"] < 1


def test_it_is_of_the_size_that_it_says():
    assert Size() == Size(10_000, 2048, 100, 1000)
    assert [tuple(x.shape) for x in features(QUICK)] == [(300, 32)] * 2


@pytest.mark.slow
def test_it_runs():
    found = metrics.measure(Options(quick=True))
    assert [s.name for s in found.series[:3]] == [metrics.OURS, metrics.FIDELITY, metrics.PLAIN]
    assert 0.1 < found.series[3].median < 2
    assert all(f.holds for f in found.findings if f.what.startswith("furthest"))
