"""Tilted densities, against closed forms, against rejection, and where there are none."""

import math

import pytest
import torch
from torch import Tensor

from lodestar.errors import UsageError
from lodestar.oracle import Blurred, GaussianMixture, Grid, Tilted, w1
from lodestar.process import Flow


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussians(means: list[list[float]], stds: list[float]) -> GaussianMixture:
    """One round Gaussian a class, all of the same weight."""
    m = torch.tensor(means, dtype=torch.float64)
    spread = torch.tensor(stds, dtype=torch.float64)[:, None, None] ** 2 * torch.eye(m.shape[1], dtype=torch.float64)
    return GaussianMixture(torch.ones(len(m)), m, spread, torch.arange(len(m)))


LINE = gaussians([[-1.0], [1.0]], [0.4, 0.4])
PLANE = gaussians([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]], [0.5, 0.5, 0.5])
EACH = pytest.mark.parametrize("mixture", [LINE, PLANE], ids=["1-D", "2-D"])


def some(mixture: GaussianMixture) -> Tensor:
    return torch.randn(7, mixture.means.shape[1], generator=seeded(3), dtype=torch.float64)


@EACH
@pytest.mark.parametrize("level", [0.0, 0.6])
def test_scale_1_is_the_conditional_and_0_the_marginal(mixture: GaussianMixture, level: float) -> None:
    at, x = Flow().level(torch.tensor(level)), some(mixture)
    cond, null = (Tilted(mixture, 0, scale, level=at) for scale in (1.0, 0.0))
    assert torch.allclose(cond.log_density(x), mixture.log_density(x, at, torch.zeros(7, dtype=torch.int64)))
    assert torch.allclose(null.log_density(x), mixture.log_density(x, at))
    assert cond.log_z == pytest.approx(0, abs=1e-9)


@EACH
@pytest.mark.parametrize("scale", [0.5, 4.0, 10.0])
def test_it_is_normalised_on_any_grid_around_it(mixture: GaussianMixture, scale: float) -> None:
    tilted, dim = Tilted(mixture, 1, scale), mixture.means.shape[1]
    assert float(tilted.masses().sum()) == pytest.approx(1, abs=1e-9)
    assert float(tilted.masses(Grid((-7.0,) * dim, (7.0,) * dim, 300)).sum()) == pytest.approx(1, abs=1e-9)


@EACH
def test_z_is_what_rejection_accepts(mixture: GaussianMixture) -> None:
    """q is p(x | c) p(c | x)^w up to a number, and p(c | x) <= 1: those of p(x | c) kept by that chance are of q."""
    n, scale = 40_000, 4.0
    x = mixture.sample(n, seeded(1), torch.zeros(n, dtype=torch.int64))
    prior = mixture.weights[0].log()
    posterior = mixture.log_density(x, labels=torch.zeros(1, dtype=torch.int64)) + prior - mixture.log_density(x)
    chance, tilted = ((scale - 1) * posterior).exp(), Tilted(mixture, 0, scale)
    off = float(chance.mean()) - math.exp(tilted.log_z + (scale - 1) * float(prior))
    assert abs(off) < 5 * float(chance.std()) / n**0.5
    kept, drawn = x[torch.rand(n, generator=seeded(2)) < chance], tilted.sample(n, seeded(3))
    assert float(w1(kept[:, 0], drawn[:, 0])) < 0.015
    assert float(w1(kept[:, 0], x[:, 0] + 0.1)) > 0.015


def test_away_from_one_class_it_is_a_gaussian() -> None:
    """N(a, s^2)^k N(b, s^2)^(1 - k) has mean a + (k - 1) (a - b) and the same variance."""
    tilted = Tilted(PLANE, 0, 3.0, away=1)
    mean = PLANE.means[0] + 2 * (PLANE.means[0] - PLANE.means[1])
    x = some(PLANE)
    exact = -0.5 * ((x - mean) ** 2).sum(1) / 0.25 - math.log(2 * math.pi * 0.25)
    assert torch.allclose(tilted.log_density(x), exact)
    assert torch.allclose(tilted.score(x), (mean - x) / 0.25)
    assert torch.allclose(tilted.sample(20_000, seeded()).mean(0), mean, atol=0.03)


@EACH
def test_the_score_is_its_gradient(mixture: GaussianMixture) -> None:
    x, tilted = some(mixture).requires_grad_(), Tilted(mixture, 0, 2.5)
    (score,) = torch.autograd.grad(tilted.log_density(x).sum(), x)
    assert torch.allclose(tilted.score(x.detach()), score)


@EACH
def test_samples_fill_the_cells_as_the_masses_say(mixture: GaussianMixture) -> None:
    n, dim = 50_000, mixture.means.shape[1]
    tilted, grid = Tilted(mixture, 0, 4.0), Grid((-3.0,) * dim, (3.0,) * dim, 6)
    fine = Grid(grid.low, grid.high, 240)
    cell = Grid(grid.low, grid.high, 6).shares(fine.centres())  # each coarse cell has as many fine ones
    assert torch.allclose(cell, torch.full_like(cell, 1 / 6**dim))
    masses = tilted.masses(fine).reshape((6, 40) * dim).sum(tuple(range(1, 2 * dim, 2))).flatten()
    off = grid.shares(tilted.sample(n, seeded())) - masses
    assert bool((off.abs() < 5 * (masses * (1 - masses) / n).sqrt() + 2e-3).all())


def test_tails_that_grow_are_refused() -> None:
    wide = gaussians([[0.0], [0.0]], [1.0, 0.5])
    with pytest.raises(UsageError, match="no finite integral"):
        Tilted(wide, 0, 4.0, away=1)  # 4 / 1 - 3 / 0.25 < 0
    assert Tilted(wide, 0, 1.2, away=1).log_z < 100
    with pytest.raises(UsageError, match="no finite integral"):
        Tilted(wide, 1, -1.0)
    with pytest.raises(UsageError, match="no finite integral"):
        Tilted(Blurred(PLANE, 0.5).learnt, 0, 4.0, weak=PLANE)
    Tilted(PLANE, 0, 4.0, weak=Blurred(PLANE, 0.5).learnt)


def test_tails_that_grow_in_one_direction_only_are_refused() -> None:
    oval = torch.stack([torch.diag(torch.tensor(d)) for d in ([1.0, 0.1], [0.5, 0.5])])
    mixture = GaussianMixture(torch.ones(2), torch.zeros(2, 2), oval, torch.arange(2))
    with pytest.raises(UsageError, match="no finite integral"):
        Tilted(mixture, 0, 3.0, away=1)


def test_too_few_cells_are_refused() -> None:
    with pytest.raises(UsageError, match="more cells than 8"):
        Tilted(PLANE, 0, 4.0, cells=8)


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="1 or 2 dimensions"):
        Tilted(gaussians([[0.0, 0.0, 0.0]], [1.0]), 0, 2.0)
    with pytest.raises(UsageError, match="finite"):
        Tilted(PLANE, 0, math.nan)
    with pytest.raises(UsageError, match="classes"):
        Tilted(PLANE, 5, 2.0)
    with pytest.raises(UsageError, match="low < high"):
        Grid((0.0,), (0.0,), 4)
