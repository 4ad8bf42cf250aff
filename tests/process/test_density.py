"""Training densities: the shape of each distribution. Range and reproducibility are a law."""

import math

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.process import EDM, Cosine, Density, Flow, LogitNormal, LogNormal, Process, Uniform

N = 20_000


def draw(density: Density, process: Process = Flow()) -> torch.Tensor:  # noqa: B008
    return density.sample(N, process, torch.Generator().manual_seed(0))


def test_uniform_is_uniform() -> None:
    off = draw(Uniform()).sort().values - (torch.arange(N) + 0.5) / N
    assert off.abs().max() < 1.95 / math.sqrt(N)  # Kolmogorov-Smirnov at 0.1 %


def test_logit_normal_has_its_moments_in_the_logit() -> None:
    z = draw(LogitNormal(0.5, 2.0)).logit()
    assert z.mean() == pytest.approx(0.5, abs=5 * 2 / math.sqrt(N))
    assert z.std() == pytest.approx(2, rel=5 / math.sqrt(2 * N))


def test_a_share_of_logit_normal_is_even() -> None:
    u = draw(LogitNormal(0.9, even=0.2))
    assert (u < 1 / 64).double().mean() == pytest.approx(0.2 / 64, rel=0.4)
    assert torch.equal(draw(LogitNormal(0.9, even=0.0)), draw(LogitNormal(0.9)))
    off = draw(LogitNormal(0.9, even=1.0)).sort().values - (torch.arange(N) + 0.5) / N
    assert off.abs().max() < 1.95 / math.sqrt(N)
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match="share from 0 to 1"):
            LogitNormal(even=share)


@pytest.mark.parametrize("process", [EDM(), Cosine(), Flow(shift=3.0)], ids=str)
def test_log_normal_is_of_the_noise_level_whatever_the_process(process: Process) -> None:
    z = process.level(draw(LogNormal(), process=process)).noise_to_signal.log()
    assert z.mean() == pytest.approx(-1.2, abs=5 * 1.2 / math.sqrt(N))
    assert z.std() == pytest.approx(1.2, rel=5 / math.sqrt(2 * N))


def test_log_normal_beyond_the_ends_is_at_the_ends() -> None:
    u = draw(LogNormal(mean=0.0, std=3.0), process=EDM(sigma_min=0.5, sigma_max=2.0))
    assert (u == 0).double().mean() == pytest.approx(0.4086, abs=0.02)  # Phi(log(0.5) / 3)
    assert (u == 1).double().mean() == pytest.approx(0.4086, abs=0.02)


@pytest.mark.parametrize("density", [LogitNormal, LogNormal])
@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, -1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_refuses_what_is_no_density(density: type[LogitNormal | LogNormal], values: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="needs a finite mean"):
        density(*values)
