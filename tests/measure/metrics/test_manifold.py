"""Precision, recall, density, coverage: against plain float64 formulas, exactly, also where rounding could decide."""

import pytest
import torch
from clouds import cloud

from lodestar.errors import UsageError
from lodestar.measure.metrics import pairs
from lodestar.measure.metrics.kid import draw, kid
from lodestar.measure.metrics.manifold import manifold


def plain(real, generated, k=3, wider=5):
    """By the papers' formulas, every distance from its differences."""
    real, generated = real.double(), generated.double()
    d = [(a[:, None] - b).square().sum(2) for a, b in ((real, real), (generated, generated), (real, generated))]
    ball, wide, other = d[0].sort(1)[0][:, k], d[0].sort(1)[0][:, wider], d[1].sort(1)[0][:, k]
    precision = (d[2] <= ball[:, None]).any(0).double().mean()
    recall = (d[2] <= other).any(1).double().mean()
    inside = d[2] <= wide[:, None]
    return [
        float(v)
        for v in (precision, recall, int(inside.sum()) / (wider * len(generated)), inside.any(1).double().mean())
    ]


def found(real, generated, **more):
    got = manifold(real, generated, **more)
    return [got.precision, got.recall, got.density, got.coverage]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("block", [2048, 50])
def test_they_are_the_papers_formulas(dtype, block, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", block)
    real, generated = cloud(220, 6, 0, dtype=dtype), cloud(170, 6, 1, 1.2, 0.3, dtype)
    assert found(real, generated) == pytest.approx(plain(real, generated), rel=1e-14)
    assert found(real, generated, k=7, wider=2) == pytest.approx(plain(real, generated, 7, 2), rel=1e-14)


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_single_precision_changes_no_decision(far):
    """Copies that differ in the last digits, far from the origin, where products of single precision see nothing."""
    g = torch.Generator().manual_seed(0)
    real = (torch.randn(150, 5, generator=g) * torch.tensor([1e3, 1.0, 1.0, 1e-2, 1e-2]) + far).float()
    generated = (real[:120] + 1e-2 * torch.randn(120, 5, generator=g)).float()
    assert found(real, generated) == pytest.approx(plain(real, generated), rel=1e-14)


def test_neighbours_that_products_cannot_order_are_looked_for_among_all():
    """Two crowds so far apart that within each single precision puts more in disorder than are kept."""
    g = torch.Generator().manual_seed(0)
    side = torch.tensor([1e3, -1e3]).repeat(60)[:, None]
    real, generated = (side + scale * torch.randn(120, 5, generator=g) for scale in (1e-2, 1.2e-2))
    assert found(real, generated) == pytest.approx(plain(real, generated), rel=1e-14)


def grid(n, dim, seed):
    """Features of a grid: full of ties."""
    return torch.randint(0, 4, (n, dim), generator=torch.Generator().manual_seed(seed)).float()


def test_an_autocast_around_it_and_gradients_change_nothing():
    real, generated = grid(90, 16, 0), grid(80, 16, 1)
    with torch.autocast("cpu", torch.bfloat16):
        got = found(real.requires_grad_(), generated)
        distance = kid(real, generated, draw(90, 80, 5, 40)).mean
    assert got == pytest.approx(plain(real, generated), rel=1e-14)
    assert distance == kid(real.detach(), generated, draw(90, 80, 5, 40)).mean


@pytest.mark.parametrize("scale", [1e-26, 1e-22, 1e-12, 1e12, 5e18, 1e19])
def test_of_any_size_it_is_right_or_refused(scale):
    real, generated = cloud(60, 8, 0, dtype=torch.float32), cloud(50, 8, 1, 1.2, 0.3, torch.float32)
    try:
        got = found(real * scale, generated * scale)
    except UsageError as error:
        assert 1e-12 != scale != 1e12
        assert f"too {'large' if scale > 1 else 'small'} for float32" in str(error)  # noqa: PT017
    else:
        assert got == pytest.approx(plain(real, generated), rel=1e-14)


def test_features_that_never_vary_are_all_in_all_balls():
    assert found(torch.ones(20, 4), torch.ones(30, 4))[:2] == [1.0, 1.0]


def test_of_points_on_a_line():
    real, generated = torch.arange(5.0)[:, None], torch.tensor([[0.4], [2.0], [9.0], [9.5]])
    got = manifold(real, generated, k=1, wider=1)
    assert got.inside.tolist() == [True, True, False, False]
    assert got.reached.tolist() == [True, True, True, True, False]  # the balls of 0.4 and 2.0 reach 1.6 each
    assert got.covered.tolist() == [True, True, True, True, False]  # 2.0 lies on the balls of 1 and 3
    assert (got.balls, got.density) == (5, 5 / 4)


def test_the_same_set_is_all_inside_and_a_far_one_is_not():
    x = cloud(50, 4, 0)
    assert found(x, x)[:2] == [1, 1]
    assert found(x, x)[3] == 1
    assert found(x, x + 100) == [0, 0, 0, 0]


def test_a_single_picture_again_and_again_has_precision_and_no_recall():
    real = cloud(60, 4, 0)
    got = manifold(real, real[:1].expand(60, -1).contiguous())
    assert (got.precision, got.recall) == (1, 1 / 60)


def test_too_few_samples_are_refused():
    x = cloud(5, 4, 0)
    with pytest.raises(UsageError, match="5th neighbour takes more samples"):
        manifold(x, x)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        manifold(x, x, k=0)
