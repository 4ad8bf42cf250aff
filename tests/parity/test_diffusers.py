"""DDIM and DPM-Solver++(2M) against diffusers' schedulers: the same network, the same levels, the same samples.

diffusers numbers its levels: timestep i stands for alpha^2 = alphas_cumprod[i]. DDIMScheduler steps from i to
i - 1000 // steps and, below 0, to clean (set_alpha_to_one) or to i = 0; DPMSolverMultistepScheduler walks its own
`sigmas`, which are sigma / alpha (for flows: sigma), down to 0 (final_sigmas_type "zero") or to the least of them.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from lodestar.core import Kind, Level, Prediction, Step, convert
from lodestar.oracle import GaussianMixture
from lodestar.process import Flow
from lodestar.samplers.ddim import ddim
from lodestar.samplers.dpmpp_2m import dpmpp_2m

diffusers = pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")

ORACLE = GaussianMixture.random(12, 3, torch.Generator().manual_seed(0))
X = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
KINDS: dict[str, Kind] = {"epsilon": "eps", "v_prediction": "v", "sample": "x0", "flow_prediction": "flow"}


class Network:
    """The oracle as a network of one kind, and as a Denoise."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.raw = kind, ORACLE.as_network(kind)

    def begin(self) -> "Network":
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        return convert(self.kind, self.raw(x, at.level), x, at.level)


def preserving(alpha_squared: Tensor) -> Level:
    a = alpha_squared.double()
    return Level(a.sqrt(), (1 - a).sqrt(), torch.full_like(a, torch.nan), torch.full_like(a, torch.nan))


def theirs(scheduler: object, network: Network, levels: Sequence[Level]) -> Tensor:
    """diffusers' loop: the network is asked at each level but the last, its raw output handed to the scheduler."""
    x = X
    for i, at in zip(scheduler.timesteps, levels, strict=False):  # type: ignore[attr-defined]
        x = scheduler.step(network.raw(x, at), i, x).prev_sample  # type: ignore[attr-defined]
    return x


def agree(ours: Tensor, other: Tensor) -> None:
    assert ours.std() > 0.1
    assert (ours - other).abs().max() < 1e-4


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("to_one", [True, False])
@pytest.mark.parametrize("steps", [1, 10, 25])
def test_ddim(prediction: str, spacing: str, to_one: bool, steps: int) -> None:
    scheduler = diffusers.DDIMScheduler(
        prediction_type=prediction, timestep_spacing=spacing, set_alpha_to_one=to_one, clip_sample=False
    )
    scheduler.set_timesteps(steps)
    last = torch.ones(1) if to_one else scheduler.alphas_cumprod[:1]
    levels = [preserving(a) for a in torch.cat([scheduler.alphas_cumprod[scheduler.timesteps], last])]
    network = Network(KINDS[prediction])
    agree(ddim(network, X, levels), theirs(scheduler, network, levels))


def solver(**options: object) -> object:
    return diffusers.DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2, **options)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
@pytest.mark.parametrize("steps", [2, 10, 25])
def test_dpmpp_2m(prediction: str, spacing: str, steps: int) -> None:
    check_solver(Network(KINDS[prediction]), solver(prediction_type=prediction, timestep_spacing=spacing), steps)


@pytest.mark.parametrize("final", ["zero", "sigma_min"])
@pytest.mark.parametrize("steps", [10, 25])
def test_dpmpp_2m_on_karras_sigmas(final: str, steps: int) -> None:
    """With sigma_min the last level is not clean; lower_order_final would then make the last of few steps DDIM's."""
    options = solver(use_karras_sigmas=True, final_sigmas_type=final, lower_order_final=False)
    check_solver(Network("eps"), options, steps)


def check_solver(network: Network, scheduler: object, steps: int) -> None:
    scheduler.set_timesteps(steps)  # type: ignore[attr-defined]
    levels = [preserving(1 / (1 + sigma.double() ** 2)) for sigma in scheduler.sigmas]  # type: ignore[attr-defined]
    agree(dpmpp_2m(network, X, levels), theirs(scheduler, network, levels))


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [2, 10, 25])
def test_dpmpp_2m_on_a_flow(shift: float, steps: int) -> None:
    scheduler = solver(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=shift)
    scheduler.set_timesteps(steps)  # type: ignore[attr-defined]
    levels = [Flow().level(sigma) for sigma in scheduler.sigmas]  # type: ignore[attr-defined]
    network = Network("flow")
    agree(dpmpp_2m(network, X, levels), theirs(scheduler, network, levels))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_ddim_on_a_flow_is_euler(shift: float) -> None:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(10)
    levels = [Flow().level(sigma) for sigma in scheduler.sigmas]
    network = Network("flow")
    agree(ddim(network, X, levels), theirs(scheduler, network, levels))
