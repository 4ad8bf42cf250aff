"""Rectified flow and its shift."""

import math

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.process import Flow

U = torch.linspace(0, 1, 11, dtype=torch.float64)


def test_neutral_shift_is_the_straight_path() -> None:
    level = Flow().level(U)
    assert torch.equal(level.sigma, U)
    assert torch.equal(level.alpha, 1 - U)
    assert torch.equal(level.d_sigma, torch.ones_like(U))


@pytest.mark.parametrize("shift", [0.1, 0.3, 3.0, 7.1])
def test_shift_is_the_formula_and_both_ends_are_exact(shift: float) -> None:
    level = Flow(shift).level(U)
    assert torch.allclose(level.sigma, shift * U / (1 + (shift - 1) * U), atol=1e-15)
    assert level.alpha[[0, -1]].tolist() == [1, 0]
    assert level.sigma[[0, -1]].tolist() == [0, 1]


def test_shift_composes_with_the_odds() -> None:
    """shift multiplies sigma / alpha."""
    u = U[1:-1]
    assert torch.allclose(Flow(3.0).level(u).noise_to_signal, 3 * Flow().level(u).noise_to_signal)


@pytest.mark.parametrize("shift", [0.0, -1.0, math.inf, math.nan])
def test_refuses_a_shift_that_is_none(shift: float) -> None:
    with pytest.raises(UsageError, match="shift"):
        Flow(shift)
