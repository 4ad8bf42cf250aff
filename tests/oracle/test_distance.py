"""Distances, against closed forms and definitions."""

import math

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.oracle import Distance, GaussianMixture, Grid, Tilted, distance, sliced_w1, total_variation, w1


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, dim: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def test_w1_of_equally_many_is_the_mean_distance_of_the_sorted() -> None:
    x, y = normal(50, 1, seeded())[:, 0], 2 * normal(50, 1, seeded(1))[:, 0] + 0.3
    assert float(w1(x, y)) == pytest.approx(float((x.sort().values - y.sort().values).abs().mean()))
    assert float(w1(x, x)) == pytest.approx(0, abs=1e-12)


def test_weights_are_repetitions() -> None:
    x, y = normal(6, 1, seeded())[:, 0], normal(9, 1, seeded(1))[:, 0]
    times = torch.tensor([1, 4, 2, 0, 1, 2])
    assert float(w1(x, y, times / times.sum())) == pytest.approx(float(w1(x.repeat_interleave(times), y)))


def test_w1_of_a_point_and_a_density() -> None:
    """E|x| of N(0, 1) is sqrt(2 / pi), by quadrature."""
    mixture = GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1, 1), torch.zeros(1, dtype=torch.int64))
    tilted = Tilted(mixture, 0, 1.0)
    found = w1(torch.zeros(1), tilted.grid.centres()[:, 0], None, tilted.masses())
    assert float(found) == pytest.approx(math.sqrt(2 / math.pi), abs=1e-6)


def test_sliced_w1_of_a_shift_is_two_over_pi_of_its_length_whatever_its_direction() -> None:
    x = normal(300, 2, seeded())
    for shift in ([3.0, 4.0], [-5.0, 0.0], [0.0, 5.0]):
        assert float(sliced_w1(x, x + torch.tensor(shift))) == pytest.approx(5 * 2 / math.pi, rel=2e-3)


def test_on_a_line_there_is_one_direction() -> None:
    x, y = normal(40, 1, seeded()), normal(30, 1, seeded(1))
    assert float(sliced_w1(x, y)) == pytest.approx(float(w1(x[:, 0], y[:, 0])))
    with pytest.raises(UsageError, match="1 or 2 dimensions"):
        sliced_w1(normal(4, 3, seeded()), normal(4, 3, seeded()))


def test_the_interval_holds_the_distance_of_what_was_sampled() -> None:
    g = seeded(5)
    trials = [distance(normal(150, 1, g) + 0.5, normal(150, 1, g), g).interval for _ in range(40)]
    assert sum(low <= 0.5 <= high for low, high in trials) >= 34
    assert sum(low > 0 for low, _ in trials) >= 38
    assert sum(high - low for low, high in trials) / 40 < 0.5  # 4 standard errors of a difference of means are 0.46


def test_the_interval_of_equals_begins_at_0() -> None:
    g = seeded(6)
    trials = [distance(normal(100, 1, g), normal(100, 1, g), g) for _ in range(40)]
    assert sum(t.interval[0] == 0 for t in trials) >= 36
    assert all(t.interval[1] >= t.value > 0 for t in trials)


def test_the_mean_of_several_is_narrower() -> None:
    g = seeded(7)
    several = [distance(normal(200, 2, g) + 1, normal(200, 2, g), g) for _ in range(4)]
    low, high = Distance.mean(several).interval
    assert low < sum(d.value for d in several) / 4 < high
    assert high - low < 0.75 * sum(d.interval[1] - d.interval[0] for d in several) / 4


@pytest.mark.parametrize("dim", [1, 2])
def test_total_variation_of_two_gaussians(dim: int) -> None:
    """2 Phi(d / 2) - 1 at distance d, for unit variance."""
    means = torch.tensor([[0.0] * dim, [1.5] + [0.0] * (dim - 1)])
    mixture = GaussianMixture(torch.ones(2), means, torch.eye(dim).expand(2, dim, dim), torch.arange(2))
    grid = Grid((-8.0,) * dim, (9.0,) * dim, 200)
    p, q = (Tilted(mixture, c, 1.0).masses(grid) for c in (0, 1))
    assert float(total_variation(p, q)) == pytest.approx(math.erf(0.75 / math.sqrt(2)), abs=2e-4)


def test_total_variation_counts_what_is_outside_the_grid() -> None:
    grid = Grid((0.0, 0.0), (1.0, 2.0), 2)
    x = torch.tensor([[0.1, 0.1], [0.9, 1.9], [0.9, 1.5], [5.0, 0.5]])
    assert grid.shares(x).tolist() == [0.25, 0.0, 0.0, 0.5]
    assert float(total_variation(grid.shares(x), torch.tensor([0.25, 0.0, 0.0, 0.75]))) == pytest.approx(0.25)
