"""Laws of every sampler, measured on the oracle."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from torch import Tensor

from lodestar.core import KINDS, Kind, Level, Noise, Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.oracle import GaussianMixture
from lodestar.process import DDPM, EDM, Cosine, Flow, Levels, Process, levels
from lodestar.samplers import SAMPLERS, Stepwise, sampler
from lodestar.samplers.ancestral import ancestral
from lodestar.samplers.ddim import ddim
from lodestar.samplers.dpmpp_2m import dpmpp_2m
from lodestar.samplers.heun import LONGEST
from lodestar.samplers.unipc import unipc

ORDERS = {"ddim": 1, "dpmpp_2m": 2, "euler": 1, "heun": 2, "unipc": 3}  # of the deterministic ones
NOISY_ORDERS = {"ancestral": 1, "ancestral(1)": 1, "ddpm": 1, "ddim(eta=1)": 1, "ddim(eta=.5)": 1}  # of variances
NOISY_ORDERS |= {"dpmpp_2m(eta=1)": 2, "dpmpp_2m(eta=.5)": 2, "heun(churn=4)": 2}
TWICE = {
    "heun",
    "heun(churn=40)",
}  # asks twice a step, but once on the way to clean and where there is no noise level to go by
PROCESSES: list[Process] = [Cosine(), Flow(), Flow(shift=3.0), EDM(), DDPM(), DDPM(zero_terminal=True)]
ORACLE = GaussianMixture.random(2, 3, torch.Generator().manual_seed(0))
X = Noise(range(16)).normal(-1, 0, (2,)).double()
NOISE = Noise(range(16))

SMOOTH = [p for p in PROCESSES if not isinstance(p, DDPM)]  # between its steps DDPM is interpolated: it has corners
every_process = pytest.mark.parametrize("process", PROCESSES, ids=str)
every_sampler = pytest.mark.parametrize("name", SAMPLERS)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """These tensors are tiny: more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass
class Denoiser:
    """A function of (x, level) as a Denoise, with counts."""

    f: Callable[[Tensor, Level], Prediction] = ORACLE
    begun: int = 0
    calls: int = 0

    def begin(self) -> "Denoiser":
        self.begun += 1
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        self.calls += 1
        return self.f(x, at.level)


# The truth: the probability flow ODE dx/du = velocity, by the classical Runge-Kutta method.


@cache
def solved(process: Process, start: float, end: float, steps: int = 60) -> Tensor:
    x, h = X, (end - start) / steps
    for i in range(steps):
        x = runge_kutta(process, x, start + i * h, h)
    return x


def runge_kutta(process: Process, x: Tensor, u: float, h: float) -> Tensor:
    def slope(x: Tensor, u: float) -> Tensor:
        level = process.level(torch.tensor(max(u, 0.0), dtype=torch.float64))
        return ORACLE(x, level).velocity(level)

    a = slope(x, u)
    b = slope(x + h / 2 * a, u + h / 2)
    c = slope(x + h / 2 * b, u + h / 2)
    return x + h / 6 * (a + 2 * b + 2 * c + slope(x + h * c, u + h))


def inside(process: Process, steps: int) -> Levels:
    """Between fixed levels, where an order is defined."""
    return Levels(process, tuple(process.level(u) for u in torch.linspace(0.8, 0.2, steps + 1, dtype=torch.float64)))


def test_every_sampler_has_an_order() -> None:
    assert {text.partition("(")[0] for text in {**ORDERS, **NOISY_ORDERS}} == set(SAMPLERS)


@pytest.mark.parametrize("process", SMOOTH, ids=str)
@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_order_of_convergence(process: Process, name: str, order: int) -> None:
    """Half the step, the error divided by 2^order."""

    def error(steps: int) -> float:
        end = SAMPLERS[name](Denoiser(), X, inside(process, steps))
        return float((end - solved(process, 0.8, 0.2)).norm())  # type: ignore[arg-type]

    assert math.log2(error(32) / error(64)) == pytest.approx(order, abs=0.2)


@every_process
@pytest.mark.parametrize("grid", ["u", "lam"])
def test_whole_trajectories_end_at_the_truth_and_higher_orders_are_better(process: Process, grid: str) -> None:
    """Also over the ends, where log SNR runs away; 20 steps are what people take."""
    end = solved(process, 1.0, 0.0)  # type: ignore[arg-type]
    truth = ORACLE(end, process.level(torch.tensor(0.0))).x0
    first, *higher = ((f(Denoiser(), X, levels(process, 20, grid)) - truth).norm() for f in (ddim, dpmpp_2m, unipc))
    assert all(error < 0.6 * first for error in higher)
    assert first < (0.5 if grid == "u" else 1.0)
    assert (ddim(Denoiser(), X, levels(process, 160, grid)) - truth).norm() < 0.2 * first


@every_sampler
def test_x_is_read_only_through_the_prediction(name: str) -> None:
    """Or a rule whose pair is off x (CFG++, thresholds) is silently undone."""

    def told(x: Tensor, level: Level) -> Prediction:
        return Prediction(torch.full_like(X, float(level.alpha) - 0.5), torch.full_like(X, -float(level.sigma)))

    grid = levels(Cosine(-5.0, 5.0), 6)[:-1]
    ends = [SAMPLERS[name](Denoiser(told), x, grid, noise=NOISE) for x in (X, X + 1)]
    assert torch.equal(*ends)


@every_sampler
@every_process
def test_one_step_is_the_first_prediction(name: str, process: Process) -> None:
    if name == "euler" and process != Flow():
        pytest.skip("Euler goes along u, which leads straight to the first prediction only where the path is straight")
    grid = levels(process, 1)
    assert torch.equal(SAMPLERS[name](Denoiser(), X, grid, noise=NOISE), ORACLE(X, grid[0]).x0)


@every_sampler
@every_process
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_evaluations_a_step_and_one_beginning(name: str, process: Process, steps: int) -> None:
    denoiser, grid = Denoiser(), levels(process, steps)
    x = SAMPLERS[name](denoiser, X, grid, noise=NOISE)
    paired = sum(bool(to.lam - at.lam < 2 * math.log(LONGEST)) for at, to in itertools.pairwise(grid))
    assert (denoiser.begun, denoiser.calls) == (1, steps + paired * (name in TWICE))
    assert x.isfinite().all()


@every_sampler
def test_a_flow_starts_at_alpha_0(name: str) -> None:
    """The first step is asked at pure noise, and its answer, the mean of the data, is used."""
    grid = levels(Flow(), 3)
    asked: list[float] = []

    def f(x: Tensor, level: Level) -> Prediction:
        asked.append(float(level.alpha))
        return convert("flow", ORACLE(x, level).velocity(level), x, level)

    x = SAMPLERS[name](Denoiser(f), X, grid, noise=NOISE)
    assert asked == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3] if name in TWICE else [0, 1 / 3, 2 / 3])
    assert torch.allclose(x, SAMPLERS[name](Denoiser(), X, grid, noise=NOISE))


@every_sampler
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_gives_the_same_samples(name: str, kind: Kind) -> None:
    network, grid = ORACLE.as_network(kind), levels(Cosine(), 6)
    raw = Denoiser(lambda x, level: convert(kind, network(x, level), x, level))
    exact = SAMPLERS[name](Denoiser(), X, grid, noise=NOISE)
    assert torch.allclose(SAMPLERS[name](raw, X, grid, noise=NOISE), exact, atol=1e-6)


@every_sampler
def test_a_trajectory_is_the_sampler_step_by_step(name: str) -> None:
    """Lazily: what is not asked for is not computed."""
    denoiser, grid = Denoiser(), levels(Flow(), 4)
    moments = SAMPLERS[name].trajectory(denoiser, X, grid, noise=NOISE)
    assert denoiser.calls == 0
    first = next(moments)
    spent = denoiser.calls
    assert spent <= 2
    assert first.at.index == 0
    assert torch.equal(first.prediction.x0, ORACLE(X, grid[0]).x0)
    rest = list(moments)
    assert [moment.at.index for moment in rest] == [1, 2, 3]
    assert torch.equal(rest[-1].x, SAMPLERS[name](Denoiser(), X, grid, noise=NOISE))


@every_sampler
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_have_the_precision_of_the_prediction(name: str, dtype: torch.dtype) -> None:
    plain = Denoiser(lambda x, level: Prediction(x.to(dtype), x.to(dtype)))
    assert SAMPLERS[name](plain, X.bfloat16(), levels(Flow(), 3), noise=NOISE).dtype == dtype


@every_sampler
@every_process
def test_a_sample_is_bit_equal_for_any_batch_at_the_same_chunk(name: str, process: Process) -> None:
    def chunked(x: Tensor, level: Level) -> Prediction:
        parts = [ORACLE(x[i : i + 4], level) for i in range(0, len(x), 4)]
        return Prediction(torch.cat([p.x0 for p in parts]), torch.cat([p.eps for p in parts]))

    def run(rows: slice) -> Tensor:
        return SAMPLERS[name](Denoiser(chunked), X[rows], levels(process, 5), noise=NOISE[rows])

    whole = run(slice(0, 16))
    for size in (4, 8):
        assert torch.equal(torch.cat([run(slice(i, i + size)) for i in range(0, 16, size)]), whole)


STRAIGHT = [Flow(), EDM(rho=1.0)]  # alpha and sigma are linear in u


@pytest.mark.parametrize("process", STRAIGHT, ids=str)
def test_euler_is_ddim_where_alpha_and_sigma_are_linear(process: Process) -> None:
    grid = levels(process, 9)
    assert torch.allclose(
        SAMPLERS["euler"](Denoiser(), X, grid), ddim(Denoiser(), X, grid), rtol=1e-9, atol=1e-9 * float(grid[0].sigma)
    )
    curved = levels(Cosine(), 9)
    assert (SAMPLERS["euler"](Denoiser(), X, curved) - ddim(Denoiser(), X, curved)).abs().max() > 1e-3


@every_process
def test_ddpm_is_ancestral_without_a_mix_and_ddim_with_eta_1(process: Process) -> None:
    grid = levels(process, 7)
    x = SAMPLERS["ddpm"](Denoiser(), X, grid, noise=NOISE)
    assert torch.equal(x, ancestral(Denoiser(), X, grid, noise=NOISE, noise_mix=0.0))
    assert torch.allclose(x, ddim(Denoiser(), X, grid, noise=NOISE, eta=1.0), rtol=1e-9, atol=1e-9)


NOISY = ["ancestral", "ddpm", "ddim(eta=1)", "ddim(eta=.5)", "dpmpp_2m(eta=1)", "dpmpp_2m(eta=.5)", "heun(churn=40)"]


@pytest.mark.parametrize("text", NOISY)
def test_noise_is_asked_for_where_it_is_drawn(text: str) -> None:
    with pytest.raises(UsageError, match="give it noise=Noise"):
        sampler(text)(Denoiser(), X, levels(EDM(), 3))


@pytest.mark.parametrize("name", ORDERS)
def test_what_has_an_order_draws_no_noise(name: str) -> None:
    grid = levels(Cosine(), 5)
    assert torch.equal(SAMPLERS[name](Denoiser(), X, grid), SAMPLERS[name](Denoiser(), X, grid, noise=NOISE))


# Moments of the samplers that draw, on numbers: every element of x [4, N / 4] samples a mixture in one dimension.

N = 8_000


def in_one_dimension(*components: tuple[float, float, float]) -> GaussianMixture:
    weights, means, stds = (torch.tensor(c, dtype=torch.float64) for c in zip(*components, strict=True))
    return GaussianMixture(
        weights, means[:, None], stds[:, None, None] ** 2, torch.zeros(len(means), dtype=torch.int64)
    )


def samples(mixture: GaussianMixture, grid: Sequence[Level], f: Stepwise) -> Tensor:
    def elementwise(x: Tensor, level: Level) -> Prediction:
        p = mixture(x.reshape(-1, 1), level)
        return Prediction(p.x0.reshape(x.shape), p.eps.reshape(x.shape))

    noise = Noise([0, 1, 2, 3])
    x = grid[0].sigma * noise.normal(-1, 0, (N // 4,)).double()
    return f(Denoiser(elementwise), x, grid, noise=noise)


def chain(mean: float, std: float, grid: Sequence[Level], noise_mix: float) -> tuple[float, float]:
    """Mean and variance after each of the paper's steps, in its own form: all is linear for one Gaussian."""
    m, v = 0.0, float(grid[0].sigma) ** 2
    for at, to in itertools.pairwise(grid):
        alpha, sigma, alpha_, sigma_ = (float(f) for f in (at.alpha, at.sigma, to.alpha, to.sigma))
        e = (alpha * sigma_ / (sigma * alpha_)) ** 2
        slope = alpha * std**2 / (alpha**2 * std**2 + sigma**2)  # x0 = slope x + (1 - slope alpha) mean
        c = alpha * sigma_**2 / (sigma**2 * alpha_)  # e alpha' / alpha
        gain = c + (1 - e) * alpha_ * slope
        m = gain * m + (1 - e) * alpha_ * (1 - slope * alpha) * mean
        extra = ((1 - e) * sigma_**2) ** (1 - noise_mix) * ((1 - e) * sigma**2) ** noise_mix if sigma_ else 0.0
        v = gain**2 * v + extra
    return m, v


@every_process
@pytest.mark.parametrize("noise_mix", [0.0, 0.3, 1.0])
def test_ancestral_moments_after_few_steps_are_the_papers(process: Process, noise_mix: float) -> None:
    grid = levels(process, 6)
    x = samples(in_one_dimension((1.0, 0.7, 0.5)), grid, ancestral.bind(noise_mix=noise_mix))
    mean, variance = chain(0.7, 0.5, grid, noise_mix)
    assert x.mean().item() == pytest.approx(mean, abs=5 * (variance / N) ** 0.5)
    assert x.var().item() == pytest.approx(variance, rel=5 * (2 / N) ** 0.5)


@every_process
def test_noise_mix_matters_after_few_steps(process: Process) -> None:
    """So the test above can tell the variances apart."""
    variances = [chain(0.7, 0.5, levels(process, 6), mix)[1] for mix in (0.0, 0.3, 1.0)]
    assert variances[1] > 1.1 * variances[0]
    assert variances[2] > 1.1 * variances[1]


class Impulses:
    """No noise for the first two samples, and for each other one 1 at a step of its own."""

    def __init__(self, steps: int) -> None:
        self.unit = torch.eye(steps, steps + 2, dtype=torch.float64).roll(2, 1)

    def normal(self, step: int, part: int, shape: Sequence[int], device: torch.device) -> Tensor:
        return self.unit[step].reshape(-1, *(1 for _ in shape)).expand(-1, *shape)


@pytest.mark.parametrize("process", SMOOTH, ids=str)
@pytest.mark.parametrize(("text", "order"), NOISY_ORDERS.items())
def test_order_of_convergence_of_the_variance(process: Process, text: str, order: int) -> None:
    """Of one Gaussian, where every end is linear in the start and in the noises, so that nothing need be drawn."""
    gaussian = in_one_dimension((1.0, 0.7, 0.5))

    def error(steps: int) -> float:
        grid = inside(process, steps)
        x = torch.zeros(steps + 2, 1, dtype=torch.float64).index_fill(0, torch.tensor(1), 1.0)
        ends = sampler(text)(Denoiser(gaussian), x, grid, noise=Impulses(steps)).flatten()  # type: ignore[arg-type]
        start, *drawn = ends[1:] - ends[0]
        before, after = (level.alpha**2 * 0.25 + level.sigma**2 for level in (grid[0], grid[-1]))
        return float(start**2 * before + torch.stack(drawn).square().sum() - after)

    assert math.log2(error(64) / error(128)) == pytest.approx(order, abs=0.25)


@every_process
@pytest.mark.parametrize("text", [*NOISY, "ancestral(0)", "ancestral(1)"])
def test_noisy_samplers_sample_the_data_after_many_steps(process: Process, text: str) -> None:
    mixture = in_one_dimension((0.3, -1.0, 0.3), (0.7, 0.8, 0.4))
    x = samples(mixture, levels(process, 60 if text in TWICE else 80), sampler(text)).flatten()
    truth = mixture.sample(N, torch.Generator().manual_seed(0)).flatten()
    quantiles = torch.tensor([0.05, 0.2, 0.4, 0.6, 0.8, 0.95], dtype=torch.float64)
    assert torch.allclose(x.quantile(quantiles), truth.quantile(quantiles), atol=0.08)
    assert x.mean().item() == pytest.approx(truth.mean().item(), abs=0.04)
