"""Moments: those of numpy, the same for any batches, mergeable, and what is refused."""

import numpy as np
import pytest
import torch
from clouds import cloud

from lodestar.errors import UsageError
from lodestar.measure.metrics.frechet import frechet
from lodestar.measure.metrics.moments import Moments, Running, moments

X = cloud(2500, 8, 0, shift=3.0)


def test_they_are_numpys():
    found = Moments.of(X)
    assert found.n == 2500
    np.testing.assert_allclose(found.mean, X.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(X.numpy(), rowvar=False), rtol=1e-11)


def blocks(rows, batch):
    """In blocks of 1000, so that there are several."""
    running = Running(8, block=1000)
    for part in rows.split(batch):
        running.add(part)
    return running.moments()


@pytest.mark.parametrize("batch", [1, 7, 1000, 2048, 2499])
def test_bit_equal_for_any_batch_size(batch):
    found, whole = blocks(X, batch), blocks(X, 2500)
    assert torch.equal(found.mean, whole.mean)
    assert torch.equal(found.scatter, whole.scatter)
    assert torch.equal(found.scatter, found.scatter.T)
    torch.testing.assert_close(found.covariance, Moments.of(X).covariance, rtol=1e-11, atol=1e-13)


def test_gradients_and_autocasts_are_none_of_its_business():
    with torch.autocast("cpu", torch.bfloat16):
        found = Moments.of(X.clone().requires_grad_())
    assert torch.equal(found.scatter, Moments.of(X).scatter)
    assert not found.scatter.requires_grad


def test_two_parts_merge_to_the_whole_in_any_order():
    a, b, whole = Moments.of(X[:700]), Moments.of(X[700:]), Moments.of(X)
    for found in (a.merge(b), b.merge(a)):
        assert found.n == 2500
        torch.testing.assert_close(found.mean, whole.mean, rtol=1e-13, atol=0)
        torch.testing.assert_close(found.covariance, whole.covariance, rtol=1e-11, atol=1e-13)


def test_a_far_origin_costs_no_digits():
    found = Moments.of(X + 1e6)
    torch.testing.assert_close(found.covariance, Moments.of(X).covariance, rtol=1e-7, atol=1e-9)


def test_more_may_follow_after_a_look():
    running = Running(8, block=1000)
    running.add(X[:1500])
    assert running.moments().n == 1500
    running.add(X[1500:])
    assert torch.equal(running.moments().scatter, blocks(X, 2500).scatter)


@pytest.mark.parametrize("n", [3000, 5], ids=["full rank", "fewer samples than columns"])
def test_the_root_gives_the_covariance_back(n):
    found = Moments.of(cloud(n, 16, 1))
    assert found.root.shape == (16, min(16, n - 1))
    assert torch.equal(found.root, found.root.tril())
    torch.testing.assert_close(found.root @ found.root.T, found.covariance, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("features", "why"),
    [
        (torch.zeros(3, 4, dtype=torch.uint8), "must be floats"),
        (torch.zeros(3, 4, 2), "must be floats"),
        (torch.tensor([[0.0, 1.0], [0.0, float("nan")]]), "row 1 is not"),
        (torch.tensor([[0.0, 1.0], [float("inf"), 0.0], [float("-inf"), 0.0]]), "row 1 is not"),
        (torch.zeros(0, 4), "at least 1 row"),
        (torch.zeros(4, 0), "at least 1 column"),
    ],
)
def test_bad_features_are_refused(features, why):
    with pytest.raises(UsageError, match=why):
        Moments.of(features)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_features_of_any_precision_are_summed_in_double_and_left_as_they_are(dtype):
    given = X.to(dtype)
    kept = given.clone()
    found = Moments.of(given)
    assert torch.equal(given, kept)
    assert found.scatter.dtype == torch.float64
    torch.testing.assert_close(found.covariance, Moments.of(given.double()).covariance, rtol=1e-12, atol=0)


def test_a_sum_that_overflows_is_no_reason_to_refuse_features():
    assert Moments.of(torch.full((100, 8), 6e4, dtype=torch.float16)).n == 100


def test_other_columns_are_refused():
    running = Running(8)
    with pytest.raises(UsageError, match="8 columns"):
        running.add(torch.zeros(2, 7))
    with pytest.raises(UsageError, match="two detectors"):
        Moments.of(X).merge(Moments.of(X[:, :4]))
    with pytest.raises(UsageError, match="at least 1 row"):
        moments([])
    with pytest.raises(UsageError, match="at least 2 samples"):
        _ = Moments.of(X[:1]).covariance
    with pytest.raises(UsageError, match="at least 2 samples"):
        frechet(Moments.of(X[:1]), Moments.of(X))
