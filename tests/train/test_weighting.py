"""An error in another kind's terms is the error that this kind would have had, and is bounded."""

import pytest
import torch

from lodestar.core import KINDS, Prediction
from lodestar.errors import UsageError
from lodestar.process import Cosine, Flow
from lodestar.train.weighting import InTermsOf

U = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)


@pytest.mark.parametrize("process", [Cosine(), Flow(), Flow(3.0)], ids=str)
@pytest.mark.parametrize("own", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_the_error_is_the_other_kinds(process, own, other):
    level = process.level(U)
    g = torch.Generator().manual_seed(0)
    x0, wrong = (torch.randn(3, 1, 4, 4, generator=g, dtype=torch.float64) for _ in range(2))
    eps = torch.randn(3, 1, 4, 4, generator=g, dtype=torch.float64)
    at = level.like(x0)
    x = at.alpha * x0 + at.sigma * eps
    true, guess = Prediction(x0, eps), Prediction(wrong, (x - at.alpha * wrong) / at.sigma)

    def error(kind):
        return (true.reading(kind, level) - guess.reading(kind, level)).square().flatten(1).mean(1)

    torch.testing.assert_close(InTermsOf(own, other, most=1e9)(level) * error(own), error(other))


def test_the_weight_of_an_x0_error_is_bounded_where_noise_vanishes():
    level = Flow().level(torch.tensor([1e-6, 0.5], dtype=torch.float64))
    torch.testing.assert_close(
        InTermsOf("x0", "flow", most=100.0)(level), torch.tensor([100.0, 4.0], dtype=torch.float64)
    )


@pytest.mark.parametrize("most", [0.0, float("inf"), float("nan")])
def test_the_bound_is_finite(most):
    with pytest.raises(UsageError, match="most must be finite"):
        InTermsOf("x0", "flow", most=most)
