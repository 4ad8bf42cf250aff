"""Training densities: range, shape of the distribution, and that the generator alone decides."""

import math

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.process import Density, LogitNormal, Uniform

N = 20_000


def draw(density: Density, seed: int = 0) -> torch.Tensor:
    return density.sample(N, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("density", [Uniform(), LogitNormal(), LogitNormal(1.0, 2.0)], ids=str)
def test_in_range_and_reproducible(density: Density) -> None:
    u = draw(density)
    assert u.shape == (N,)
    assert u.dtype == torch.float64
    assert u.min() >= 0
    assert u.max() <= 1
    assert torch.equal(u, draw(density))
    assert not torch.equal(u, draw(density, seed=1))


def test_uniform_is_uniform() -> None:
    off = draw(Uniform()).sort().values - (torch.arange(N) + 0.5) / N
    assert off.abs().max() < 1.95 / math.sqrt(N)  # Kolmogorov-Smirnov at 0.1 %


def test_logit_normal_has_its_moments_in_the_logit() -> None:
    z = draw(LogitNormal(0.5, 2.0)).logit()
    assert z.mean() == pytest.approx(0.5, abs=5 * 2 / math.sqrt(N))
    assert z.std() == pytest.approx(2, rel=5 / math.sqrt(2 * N))


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, -1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_refuses_what_is_no_density(values: tuple[float, float]) -> None:
    with pytest.raises(UsageError):
        LogitNormal(*values)
