"""A real set that many are compared with gives the numbers that each comparison alone gives."""

import pytest
import torch
from clouds import cloud

from lodestar.errors import UsageError
from lodestar.measure.metrics import compare
from lodestar.measure.metrics.real import Real, whole


@pytest.mark.parametrize("drawn", [150, 300, 420])
def test_it_says_what_compare_says(drawn: int) -> None:
    real = Real(cloud(300, 8, 0))
    for seed in (1, 2):
        generated = cloud(drawn, 8, seed, 1.1)
        found, alone = real.compare(generated), compare(real.features, generated, whole(300, drawn))
        assert found.frechet == pytest.approx(alone.frechet, rel=1e-12)
        assert found.kid.values == pytest.approx(alone.kid.values, rel=1e-12)
        assert found.manifold.inside.equal(alone.manifold.inside)
        assert found.manifold.reached.equal(alone.manifold.reached)
        assert (found.manifold.density, found.manifold.coverage) == (alone.manifold.density, alone.manifold.coverage)


def test_the_kernel_distance_is_over_all_pairs() -> None:
    x, y = cloud(40, 3, 0), cloud(40, 3, 1, 1.3)
    k = lambda a, b: (a @ b.T / 3 + 1) ** 3  # noqa: E731
    off = lambda m: (m.sum() - m.diagonal().sum()) / (40 * 39)  # noqa: E731
    expected = off(k(x, x)) + off(k(y, y)) - 2 * k(x, y).mean()
    assert Real(x).compare(y).kid.mean == pytest.approx(float(expected), rel=1e-9)


def test_the_larger_set_is_used_in_parts_of_the_smaller_ones_size() -> None:
    real, drawn = whole(7, 3)
    assert real.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert drawn.tolist() == [[0, 1, 2], [0, 1, 2]]
    real, drawn = whole(2, 5)
    assert real.tolist() == [[0, 1], [0, 1]]
    assert drawn.tolist() == [[0, 1], [2, 3]]
    with pytest.raises(UsageError, match="at least 2 samples of each, got 1 and 5"):
        whole(1, 5)


def test_another_detectors_features_are_refused() -> None:
    with pytest.raises(UsageError, match="8 and 4 columns"):
        Real(cloud(30, 8, 0)).compare(torch.randn(30, 4))
