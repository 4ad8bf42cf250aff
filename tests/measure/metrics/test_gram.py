"""Products with a known half are the plain ones, for sizes around and beyond a panel."""

import pytest
import torch
from clouds import cloud

from lodestar.measure.metrics.gram import PANEL, gram, lower_product

SIZES = [1, 5, PANEL, PANEL + 1, 2 * PANEL + 30]


@pytest.mark.parametrize("dim", SIZES)
def test_a_gram_is_the_plain_product_and_symmetric(dim):
    rows = cloud(40, dim, 0)
    found = gram(rows)
    torch.testing.assert_close(found, rows.T @ rows, rtol=1e-12, atol=1e-12)
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("k", [1, 200, PANEL, 2 * PANEL + 30])
def test_a_product_of_lower_matrices_is_the_plain_one(k):
    dim = 2 * PANEL + 30
    a, b = cloud(dim, k, 0).tril(), cloud(dim, 300, 1).tril()
    torch.testing.assert_close(lower_product(a, b), a.T @ b, rtol=1e-12, atol=1e-12)
