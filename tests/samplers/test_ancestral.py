"""The CFG paper's ancestral sampler, against the paper's own form."""

import math

import pytest
import torch
from torch import Tensor

from lodestar.core import Level, Noise, Prediction, Step
from lodestar.errors import UsageError
from lodestar.process import Cosine, Flow, Process, levels
from lodestar.samplers.ancestral import ancestral


class Halved:
    """x0 = x / 2, and the eps that goes with x."""

    def begin(self) -> "Halved":
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        a = at.level.like(x)
        return Prediction(0.5 * x, (x - 0.5 * a.alpha * x) / a.sigma)


class Counted:
    """Noise that remembers what was drawn."""

    def __init__(self) -> None:
        self.drawn: list[tuple[int, int]] = []

    def normal(self, step: int, part: int, shape: torch.Size, device: torch.device) -> Tensor:
        self.drawn.append((step, part))
        return torch.ones(3, *shape, device=device)


X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(3, 2)
NOISE = Noise([4, 5, 6])


@pytest.mark.parametrize("noise_mix", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("process", [Cosine(), Flow()], ids=str)
def test_one_step_is_eq_3_and_4_of_the_paper(process: Process, noise_mix: float) -> None:
    at, to = process.level(torch.tensor(0.7)), process.level(torch.tensor(0.4))
    e = math.exp(at.lam - to.lam)
    mean = e * to.alpha / at.alpha * X + (1 - e) * to.alpha * 0.5 * X
    variance = ((1 - e) * to.sigma**2) ** (1 - noise_mix) * ((1 - e) * at.sigma**2) ** noise_mix
    expected = mean + variance.sqrt() * NOISE.normal(0, 0, (2,))
    assert torch.allclose(ancestral(Halved(), X, [at, to], noise=NOISE, noise_mix=noise_mix), expected)


@pytest.mark.parametrize("noise_mix", [0.0, 1.0])
def test_last_step_returns_x0_and_draws_nothing(noise_mix: float) -> None:
    noise = Counted()
    ancestral(Halved(), X, levels(Flow(), 4), noise=noise, noise_mix=noise_mix)  # type: ignore[arg-type]
    assert noise.drawn == [(0, 0), (1, 0), (2, 0)]
    assert torch.equal(ancestral(Halved(), X, levels(Cosine(), 1), noise=NOISE, noise_mix=noise_mix), 0.5 * X)


def test_rows_that_are_clean_get_no_noise() -> None:
    at, to = Flow().level(torch.tensor([0.5, 0.5, 0.5])), Flow().level(torch.tensor([0.0, 0.2, 0.0]))
    x = ancestral(Halved(), X, [at, to], noise=NOISE, noise_mix=1.0)
    assert torch.equal(x[[0, 2]], 0.5 * X[[0, 2]])


def test_a_level_is_per_sample_or_shared() -> None:
    at, to = Flow().level(torch.tensor(0.5)), Flow().level(torch.tensor(0.2))
    rows = [Level(*(f.expand(3) for f in level._fields())) for level in (at, to)]
    assert torch.equal(ancestral(Halved(), X, rows, noise=NOISE), ancestral(Halved(), X, [at, to], noise=NOISE))


@pytest.mark.parametrize("noise_mix", [-0.1, 1.1, math.nan])
def test_refuses_a_mix_that_is_none(noise_mix: float) -> None:
    with pytest.raises(UsageError, match="noise_mix must be between 0 and 1"):
        ancestral(Halved(), X, levels(Flow(), 2), noise=NOISE, noise_mix=noise_mix)


def test_asks_for_its_noise() -> None:
    with pytest.raises(UsageError, match="noise=Noise"):
        ancestral(Halved(), X, levels(Flow(), 2))
