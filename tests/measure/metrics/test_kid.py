"""The kernel distance: the plain formula, subset by subset, and what is refused."""

import pytest
import torch
from clouds import cloud

from lodestar.errors import UsageError
from lodestar.measure.metrics import pairs
from lodestar.measure.metrics.kid import draw, kid

X, Y = cloud(300, 16, 0, shift=0.2), cloud(260, 16, 1, 1.2)


def plain(x, y):
    """Unbiased MMD^2 as eq. 4 of the paper has it."""
    k = [(a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    m = len(x)
    own = sum((part.sum() - part.trace()) / (m * (m - 1)) for part in k[:2])
    return float(own - 2 * k[2].sum() / m**2)


@pytest.mark.parametrize("block", [2048, 64, 7])
def test_each_subset_is_the_plain_formula_for_any_block_size(block, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", block)
    subsets = draw(300, 260, 5, 100)
    found = kid(X, Y, subsets)
    assert found.values == pytest.approx([plain(X[i], Y[j]) for i, j in zip(*subsets, strict=True)], rel=1e-10)
    assert found.mean == pytest.approx(sum(found.values) / 5)
    assert found.std == pytest.approx(torch.tensor(found.values).std(correction=0).item())


def test_single_precision_loses_next_to_nothing():
    subsets = draw(300, 260, 5, 200)
    x, y = X.float(), Y.float()
    assert kid(x, y, subsets).mean == pytest.approx(kid(x.double(), y.double(), subsets).mean, rel=1e-6)


def test_it_is_unbiased():
    """Of samples of one distribution the mean over many draws is 0, as near as its error says."""
    values = torch.tensor([kid(cloud(60, 4, i), cloud(60, 4, 1000 + i), draw(60, 60, 1, 60)).mean for i in range(200)])
    assert abs(float(values.mean())) < 3 * float(values.std()) / 200**0.5
    assert float(values.min()) < 0


def test_subsets_larger_than_a_set_are_refused():
    with pytest.raises(UsageError, match="subsets of 1000 cannot be drawn from 300 and 260"):
        kid(X, Y)
    with pytest.raises(UsageError, match="two detectors"):
        kid(X, Y[:, :3], draw(300, 260, 1, 10))


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (torch.tensor([[0, 1, 1]]), "without replacement"),
        (torch.tensor([[0, 1, 300]]), "rows from 0 to 299"),
        (torch.tensor([[-1, 1, 2]]), "rows from 0 to 299"),
        (torch.tensor([0, 1, 2]), r"\[S, m\]"),
        (torch.tensor([[0.0, 1.0, 2.0]]), r"\[S, m\]"),
        (torch.tensor([[0, 1]]), "as many rows"),
    ],
)
def test_subsets_of_ones_own_are_looked_at(first, why):
    with pytest.raises(UsageError, match=why):
        kid(X, Y, (first, torch.tensor([[0, 1, 2]])))
    with pytest.raises(UsageError, match="at least 2"):
        kid(X, Y, (torch.tensor([[0]]), torch.tensor([[0]])))
