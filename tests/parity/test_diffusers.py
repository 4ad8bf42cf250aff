"""Samplers against diffusers' schedulers: the same network, the same levels, the same noise, the same samples.

diffusers numbers its levels: timestep i stands for alpha^2 = alphas_cumprod[i]. DDIMScheduler and DDPMScheduler step
from i to i - 1000 // steps and, below 0, to clean (DDIM: set_alpha_to_one) or to i = 0. The others walk their own
`sigmas`, which are sigma / alpha (for flows: sigma), down to 0 (final_sigmas_type "zero") or to the least of them.
"""

import sys
from collections.abc import Sequence
from itertools import count

import pytest
import torch
from torch import Tensor

from lodestar.core import Kind, Level, Noise, Prediction, Step, convert
from lodestar.oracle import GaussianMixture
from lodestar.process import EDM, Flow, Levels, levels
from lodestar.samplers import sampler

diffusers = pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")

ORACLE = GaussianMixture.random(12, 3, torch.Generator().manual_seed(0))
X = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
NOISE = Noise(range(4))
KINDS: dict[str, Kind] = {"epsilon": "eps", "v_prediction": "v", "sample": "x0", "flow_prediction": "flow"}
every_prediction = pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
every_count = pytest.mark.parametrize("steps", [2, 10, 25])


class Network:
    """The oracle as a network of one kind, and as a Denoise."""

    def __init__(self, prediction: str) -> None:
        self.kind = KINDS[prediction]
        self.raw = ORACLE.as_network(self.kind)

    def begin(self) -> "Network":
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        return convert(self.kind, self.raw(x, at.level), x, at.level)


def preserving(alpha_squared: Tensor) -> Level:
    a = alpha_squared.double()
    return Level(a.sqrt(), (1 - a).sqrt(), torch.full_like(a, torch.nan), torch.full_like(a, torch.nan))


def at_sigmas(sigmas: Tensor) -> list[Level]:
    return [preserving(1 / (1 + sigma.double() ** 2)) for sigma in sigmas]


def theirs(scheduler: object, network: Network, levels: Sequence[Level], x: Tensor = X, **options: float) -> Tensor:
    """diffusers' loop: the network is asked at each level but the last, its raw output handed to the scheduler.

    What the scheduler draws i-th is what our sampler draws at step i.
    """
    scaled = getattr(scheduler, "scale_model_input", lambda x, i: x)
    drawn = (NOISE.normal(i, 0, X.shape[1:]) for i in count())
    with pytest.MonkeyPatch.context() as patch:
        module = sys.modules[type(scheduler).__module__]
        patch.setattr(module, "randn_tensor", lambda *_, **__: next(drawn), raising=False)
        for i, at in zip(scheduler.timesteps, levels, strict=False):  # type: ignore[attr-defined]
            x = scheduler.step(network.raw(scaled(x, i), at), i, x, **options).prev_sample  # type: ignore[attr-defined]
    return x


def ours(text: str, network: Network, levels: Sequence[Level]) -> Tensor:
    return sampler(text)(network, X, levels, noise=NOISE)


def agree(ours: Tensor, other: Tensor) -> None:
    assert ours.std() > 0.1
    assert (ours - other).abs().max() < 1e-4


# Schedulers that step over timesteps.


@every_prediction
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("to_one", [True, False])
@pytest.mark.parametrize("steps", [1, 10, 25])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim(prediction: str, spacing: str, to_one: bool, steps: int, eta: float) -> None:
    scheduler = diffusers.DDIMScheduler(
        prediction_type=prediction, timestep_spacing=spacing, set_alpha_to_one=to_one, clip_sample=False
    )
    scheduler.set_timesteps(steps)
    last = torch.ones(1) if to_one else scheduler.alphas_cumprod[:1]
    grid = [preserving(a) for a in torch.cat([scheduler.alphas_cumprod[scheduler.timesteps], last])]
    network = Network(prediction)
    agree(ours(f"ddim({eta})", network, grid), theirs(scheduler, network, grid, eta=eta))


class Learned(Network):
    """Also says, in as many channels again, which variance between the least and the most it wants: this share."""

    share = 0.3

    def __init__(self, prediction: str) -> None:
        super().__init__(prediction)
        mean = self.raw
        self.raw = lambda x, at: torch.cat([mean(x, at), torch.full_like(x, 2 * self.share - 1)], 1)

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        return convert(self.kind, self.raw(x, at.level)[:, :3], x, at.level)


VARIANCES = {"fixed_small": "ddpm", "fixed_large": "ancestral(1)", "learned_range": f"ancestral({Learned.share})"}


@every_prediction
@pytest.mark.parametrize("variance", VARIANCES)
@every_count
def test_ddpm(prediction: str, variance: str, steps: int) -> None:
    """Leading: elsewhere its step to clean does not start at timestep 0 and draws noise, as none should."""
    scheduler = diffusers.DDPMScheduler(
        prediction_type=prediction, variance_type=variance, timestep_spacing="leading", clip_sample=False
    )
    scheduler.set_timesteps(steps)
    grid = [preserving(a) for a in torch.cat([scheduler.alphas_cumprod[scheduler.timesteps], torch.ones(1)])]
    network = Learned(prediction) if variance == "learned_range" else Network(prediction)
    agree(ours(VARIANCES[variance], network, grid), theirs(scheduler, network, grid))


# Schedulers that walk sigmas: those of x = alpha x0 + sigma eps, with alpha^2 + sigma^2 = 1 or on a flow.

MULTISTEP = {
    "dpmpp_2m": (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
    "dpmpp_2m(eta=1)": (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": (diffusers.UniPCMultistepScheduler, {"solver_type": "bh2"}),
}
every_multistep = pytest.mark.parametrize("text", MULTISTEP)


def multistep(text: str, steps: int, **options: object) -> object:
    make, own = MULTISTEP[text]
    scheduler = make(solver_order=2, **own, **options)
    scheduler.set_timesteps(steps)
    return scheduler


@every_multistep
@every_prediction
@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
@every_count
def test_multistep(text: str, prediction: str, spacing: str, steps: int) -> None:
    scheduler = multistep(text, steps, prediction_type=prediction, timestep_spacing=spacing)
    network, grid = Network(prediction), at_sigmas(scheduler.sigmas)  # type: ignore[attr-defined]
    agree(ours(text, network, grid), theirs(scheduler, network, grid))


@every_multistep
@pytest.mark.parametrize("final", ["zero", "sigma_min"])
@pytest.mark.parametrize("steps", [10, 25])
def test_multistep_on_karras_sigmas(text: str, final: str, steps: int) -> None:
    """With sigma_min the last level is not clean; lower_order_final would then make the last of few steps DDIM's."""
    last = {"final_sigmas_type": final, "lower_order_final": final == "zero"}
    scheduler = multistep(text, steps, use_karras_sigmas=True, **last)
    network, grid = Network("epsilon"), at_sigmas(scheduler.sigmas)  # type: ignore[attr-defined]
    agree(ours(text, network, grid), theirs(scheduler, network, grid))


@every_multistep
@pytest.mark.parametrize("shift", [1.0, 3.0])
@every_count
def test_multistep_on_a_flow(text: str, shift: float, steps: int) -> None:
    scheduler = multistep(text, steps, use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=shift)
    network, grid = Network("flow_prediction"), [Flow().level(sigma) for sigma in scheduler.sigmas]  # type: ignore[attr-defined]
    agree(ours(text, network, grid), theirs(scheduler, network, grid))


@pytest.mark.parametrize("text", ["ddim", "euler"])
@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 10])
def test_flow_euler(text: str, shift: float, steps: int) -> None:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    grid = Levels(Flow(), tuple(Flow().level(sigma) for sigma in scheduler.sigmas))
    network = Network("flow_prediction")
    agree(ours(text, network, grid), theirs(scheduler, network, grid))


# Schedulers that walk sigmas with x / alpha, and scale it by alpha for the network.

SCALED = {"ddim": diffusers.EulerDiscreteScheduler, "ddpm": diffusers.EulerAncestralDiscreteScheduler}
eps_and_v = pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])


@pytest.mark.parametrize("text", SCALED)
@eps_and_v
@every_count
def test_euler_in_sigma(text: str, prediction: str, steps: int) -> None:
    scheduler = SCALED[text](prediction_type=prediction)
    scheduler.set_timesteps(steps)
    network, grid = Network(prediction), at_sigmas(scheduler.sigmas)
    agree(ours(text, network, grid), theirs(scheduler, network, grid, X / grid[0].alpha))


@eps_and_v
@pytest.mark.parametrize("steps", [10, 25])
def test_heun_in_sigma(prediction: str, steps: int) -> None:
    """Karras' steps, for ours leaves longer ones uncorrected; all `sigmas` but the two ends are there twice."""
    scheduler = diffusers.HeunDiscreteScheduler(prediction_type=prediction, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    network, asked = Network(prediction), at_sigmas(scheduler.sigmas)
    agree(ours("heun", network, [asked[0], *asked[1::2]]), theirs(scheduler, network, asked, X / asked[0].alpha))


class Preconditioned(Network):
    """F of EDM's x0 = c_skip x + c_out F, of c_in x. Karras et al. 2022, arXiv:2206.00364, eq. 7 and Table 1."""

    data = 0.5  # sigma_data

    def __init__(self) -> None:
        super().__init__("sample")
        self.raw = self._preconditioned

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        return ORACLE(x, at.level)

    def _preconditioned(self, scaled: Tensor, at: Level) -> Tensor:
        whole = (at.sigma**2 + self.data**2).sqrt()
        x = scaled * whole
        return (ORACLE(x, at).x0 - self.data**2 / whole**2 * x) * whole / (at.sigma * self.data)


EDM_SCHEDULERS = {"ddim": diffusers.EDMEulerScheduler, "dpmpp_2m": diffusers.EDMDPMSolverMultistepScheduler}


@pytest.mark.parametrize("text", EDM_SCHEDULERS)
@pytest.mark.parametrize("steps", [10, 25])
def test_edm(text: str, steps: int) -> None:
    """Over our own levels, which are theirs."""
    scheduler = EDM_SCHEDULERS[text]()
    scheduler.set_timesteps(steps)
    network, grid = Preconditioned(), levels(EDM(), steps)
    x = grid[0].sigma * X
    agree(sampler(text)(network, x, grid), theirs(scheduler, network, grid, x))
