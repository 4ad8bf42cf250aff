"""DDPM's levels: those of its thousand steps, in closed form, and the conversions to and from their numbers."""

import math

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.process import DDPM

T = torch.tensor([0, 1, 500, 998, 999])


def product(process: DDPM, t: int) -> float:
    """alpha_t^2 by the definition."""
    low, high = (math.sqrt(b) if process.scaled else b for b in (process.beta_start, process.beta_end))
    betas = [low + (high - low) * s / (process.steps - 1) for s in range(t + 1)]
    return math.prod(1 - (b**2 if process.scaled else b) for b in betas)


@pytest.mark.parametrize("process", [DDPM(), DDPM(beta_start=0.00085, beta_end=0.012, scaled=True)], ids=str)
def test_the_levels_of_the_steps_are_the_published_ones(process: DDPM) -> None:
    level = process.at_timestep(T)
    expected = torch.tensor([product(process, t) for t in T.tolist()], dtype=torch.float64)
    assert torch.allclose(level.alpha**2, expected, rtol=1e-12, atol=0)
    assert torch.allclose(level.sigma**2, 1 - expected, rtol=1e-9, atol=0)


def test_the_paper_says_how_much_signal_is_left() -> None:
    """Ho et al. 2020, Sec. 4: the prior's divergence is about 1e-5 bits a dimension; alpha_T^2 = 4.0e-5."""
    assert DDPM().level(torch.tensor(1.0)).alpha.item() ** 2 == pytest.approx(4.04e-5, rel=0.01)


@pytest.mark.parametrize("process", [DDPM(), DDPM(zero_terminal=True)], ids=str)
def test_steps_and_levels_round_trip(process: DDPM) -> None:
    t = torch.tensor([0, 0.25, 1, 499.5, 998.75, 999], dtype=torch.float64)
    assert torch.allclose(process.timestep(process.at_timestep(t)), t, atol=1e-6)


@pytest.mark.parametrize("process", [DDPM(), DDPM(scaled=True), DDPM(zero_terminal=True), DDPM(4000)], ids=str)
def test_the_steps_are_told_as_whole_numbers(process: DDPM) -> None:
    """Or a network that looks its t up in a table gets the row below."""
    t = torch.arange(process.steps, dtype=torch.float64)
    assert torch.equal(process.timestep(process.at_timestep(t)), t)


def test_zero_terminal_ends_in_noise_and_begins_as_before() -> None:
    plain, zero = DDPM(), DDPM(zero_terminal=True)
    assert zero.alphas[-1] == 0
    assert zero.level(torch.tensor(1.0)).sigma == 1
    assert zero.alphas[0].item() == pytest.approx(plain.alphas[0].item(), rel=1e-12)
    assert (zero.alphas[1:] < plain.alphas[1:]).all()


def test_it_preserves_variance() -> None:
    level = DDPM().level(torch.linspace(0, 1, 500))
    assert torch.allclose(level.alpha**2 + level.sigma**2, torch.ones(500, dtype=torch.float64), atol=1e-15)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"steps": 1}, "at least 2 steps"),
        ({"steps": 2.5}, "at least 2 steps"),
        ({"beta_start": 0.0}, "0 < beta_start"),
        ({"beta_start": 0.5, "beta_end": 0.1}, "0 < beta_start <= beta_end < 1"),
        ({"beta_end": 1.0}, "beta_end < 1"),
    ],
)
def test_refuses_what_is_no_process(values: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        DDPM(**values)  # type: ignore[arg-type]
