"""The Frechet distance: its closed forms, its extrapolation, and what is refused."""

import pytest
import torch
from clouds import cloud

from lodestar.errors import UsageError
from lodestar.measure.metrics.frechet import _by_eigenvalues, frechet, frechet_infinity
from lodestar.measure.metrics.moments import Moments, moments

X = cloud(2000, 12, 0)


def exact(mean, spread):
    """Moments of a distribution that is known: independent columns of these standard deviations."""
    return Moments(1001, torch.tensor(mean).double(), torch.diag(torch.tensor(spread).double() ** 2) * 1000)


def test_of_independent_columns_it_is_a_sum():
    a, b = exact([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]), exact([0.5, 1.0, 0.0], [2.0, 0.5, 3.0])
    assert frechet(a, b) == pytest.approx(0.25 + 4 + 1 + 1.5**2, rel=1e-12)


def test_of_commuting_covariances_under_any_rotation():
    turn = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(3)).double())[0]
    assert frechet(Moments.of(X @ turn), Moments.of(2 * X @ turn)) == pytest.approx(
        float(Moments.of(X).covariance.trace() + (X.mean(0) ** 2).sum()), rel=1e-10
    )


@pytest.mark.parametrize("n", [2000, 13, 5])
def test_to_itself_it_is_0(n):
    a = Moments.of(X[:n])
    assert frechet(a, Moments.of(X[:n])) == 0


def test_a_shift_of_all_is_its_square():
    assert frechet(Moments.of(X), Moments.of(X + 0.5)) == pytest.approx(12 * 0.25, rel=1e-10)


def test_it_is_symmetric_and_the_same_for_any_batch_size():
    a, b = Moments.of(X[:1500]), Moments.of(cloud(900, 12, 1, 1.3))
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-12)
    assert frechet(moments(X[:1500].split(17)), b) == frechet(a, b)


def test_a_direction_that_hardly_varies_is_not_lost():
    """What the eigenvalues of A B would lose: 1e-9 beside 1 is 1e-18 beside 1 there."""
    a, b = exact([0.0, 0.0], [1.0, 1e-9]), exact([0.0, 0.0], [1.0, 3e-9])
    assert float(torch.linalg.svdvals(a.root.T @ b.root)[1]) == pytest.approx(3e-18, rel=1e-6)


@pytest.mark.parametrize("steep", [0.0, 1.0, 3.0, 8.0])
def test_eigenvalues_know_how_far_off_their_roots_are(steep):
    """Spectra that are flat, as of features, and that fall below what rounding leaves of the largest."""
    spread = torch.arange(1, 81).double() ** -steep
    product = torch.linalg.qr(cloud(80, 80, 5))[0] * spread @ torch.linalg.qr(cloud(80, 80, 6))[0]
    for p in (product, product[:50], product[:, :50]):
        exact_sum = torch.linalg.svdvals(p).sum()
        found, doubt = _by_eigenvalues(p)
        assert abs(float(found - exact_sum)) <= float(doubt) + 1e-14 * float(exact_sum)
        assert float(doubt) < 1e-4 * float(exact_sum)
    assert (float(doubt) < 1e-11 * float(exact_sum)) == (steep < 2)


def test_singular_values_are_only_computed_where_they_are_needed(monkeypatch):
    calls = []
    slow = torch.linalg.svdvals
    monkeypatch.setattr(torch.linalg, "svdvals", lambda p: calls.append(1) or slow(p))
    a = Moments.of(X)
    assert frechet(a, Moments.of(2 * X + 1)) > 1
    assert not calls
    assert frechet(a, Moments.of(X.flip(0))) <= 1e-12 * float(a.covariance.trace())  # the same rows, other roundings
    assert len(calls) == 1


def test_of_sets_that_never_vary_it_is_their_distance():
    one, other = (Moments.of(torch.full((4, 3), v)) for v in (1.0, 3.0))
    assert frechet(one, other) == 12
    assert frechet(one, Moments.of(X[:, :3])) == pytest.approx(
        float((1 - X[:, :3].mean(0)).square().sum() + X[:, :3].var(0).sum()), rel=1e-12
    )


def test_extrapolation_takes_off_most_of_what_few_samples_add():
    """Samples of one distribution: the distance is 0, and 400 samples of 32 columns show about 0.5."""
    reference = Moments.of(cloud(40_000, 32, 0))
    sample = cloud(400, 32, 1)
    found, naive = frechet_infinity(sample, reference), frechet(Moments.of(sample), reference)
    assert 0.4 < naive < 0.6
    assert abs(found.value) < naive / 4
    assert found.slope > 0
    assert (found.sizes[0], found.sizes[-1], len(found.sizes)) == (64, 400, 15)
    assert found.values[-1] == pytest.approx(naive, rel=1e-12)
    assert frechet_infinity(sample, reference) == found


def test_what_no_line_goes_through_is_refused():
    reference = Moments.of(X)
    for features, asked in ((X, {"points": 1}), (X, {"least": 1}), (X, {"least": 2000}), (X[:24], {})):
        with pytest.raises(UsageError, match="a line takes"):
            frechet_infinity(features, reference, **asked)
    with pytest.raises(UsageError, match="two detectors"):
        frechet(reference, Moments.of(X[:, :3]))
