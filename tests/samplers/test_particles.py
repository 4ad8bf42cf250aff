"""Weighted samples: what they are drawn from, who is in a group with whom, and who takes whose place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import Level, Noise, Prediction, Step, generator
from lodestar.errors import UsageError
from lodestar.guidance import guide
from lodestar.oracle import GaussianMixture, Tilted, w1
from lodestar.process import DDPM, EDM, Cosine, Flow, levels
from lodestar.samplers import sampler
from lodestar.samplers.particles import particles, systematic

# A class of two clusters, of which one is where the other class is too: guidance forsakes it, and the target does not.
MIXTURE = GaussianMixture(
    torch.ones(3),
    torch.tensor([[-1.5], [0.8], [1.6]]),
    torch.tensor([0.4, 0.4, 0.5]).reshape(3, 1, 1) ** 2,
    torch.tensor([0, 0, 1]),
)
B = 12
NOISE = Noise(range(B))
LABELS = Label(torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]))
X = NOISE.normal(-1, 0, (1,)).double()


@dataclass
class Together:
    """Noise of many samples from one generator a draw, which remembers the draws."""

    n: int
    drawn: list[tuple[int, int]] = field(default_factory=list)

    def normal(self, step: int, part: int, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        self.drawn.append((step, part))
        return torch.randn(self.n, *shape, generator=generator(step, part))


class Reweighed:
    """A denoiser with its weights times a number."""

    def __init__(self, denoise, factor: float) -> None:
        self.denoise, self.factor = denoise, factor

    def begin(self):
        return Reweighed(self.denoise.begin(), self.factor)

    def __call__(self, x, at):
        p = self.denoise(x, at)
        return replace(p, log_weight=self.factor * p.log_weight)


def off(text: str, rule: str, factor: float = 1.0, n: int = 2000) -> float:
    """W1 from the density tilted at scale 3 of what is drawn in 100 steps."""
    grid, noise = levels(Cosine(), 100), Together(n)
    denoise = guide(rule, MIXTURE, Label(torch.zeros(n, dtype=torch.int64)))
    x = grid[0].sigma * noise.normal(-1, 0, (1,)).double()
    found = sampler(text)(denoise if factor == 1 else Reweighed(denoise, factor), x, grid, noise=noise)
    return float(w1(found[:, 0], Tilted(MIXTURE, 0, 3.0).sample(50_000, generator(7))[:, 0]))


def test_it_draws_from_the_tilted_density_and_cfg_does_not() -> None:
    """By 0.4 to 0.05 or less; at other scales, in the plane and with more of all: `python -m benchmarks tilting`."""
    plain = off("ancestral", "cfg(3)")
    assert plain > 5 * off("particles(group=2000)", "tilt(3)")
    assert plain > 5 * off("particles(group=50)", "tilt(3)")


@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5, 2.0])
def test_other_weights_would_be_seen(factor: float) -> None:
    assert off("particles(group=2000)", "tilt(3)", factor) > 0.1


def drawn(
    rule: str, rows: slice = slice(None), steps: int = 12, text: str = "particles(group=4)", process=None
) -> Tensor:
    grid = levels(process or Cosine(), steps)
    return sampler(text)(guide(rule, MIXTURE, LABELS[rows]), grid[0].sigma * X[rows], grid, noise=NOISE[rows])


@pytest.mark.parametrize("process", [Cosine(), Flow(), EDM(), DDPM()], ids=lambda p: type(p).__name__)
def test_a_sample_depends_on_its_group_alone(process) -> None:
    scale = [3.0] * 8 + [6.0] * 4
    together = drawn(f"tilt({scale})", process=process)
    assert together.isfinite().all()
    for first in (0, 4, 8):
        rows = slice(first, first + 4)
        assert torch.allclose(
            drawn(f"tilt({scale[first]})", rows, process=process), together[rows], rtol=1e-9, atol=1e-9
        )
    assert not torch.allclose(drawn(f"tilt({scale})", process=process, text="particles(group=12)"), together)


def test_what_it_draws_is_a_function_of_the_seeds() -> None:
    assert torch.equal(drawn("tilt(3)"), drawn("tilt(3)"))


def test_one_alone_is_never_resampled() -> None:
    assert torch.equal(drawn("tilt(3)", text="particles(group=1)"), drawn("cfg(3)", text="particles"))


# Weights by hand: every sample is a number that predictions repeat, and weighs as is told.


class Told:
    """x0 is the number of the sample, whatever x; rates [steps, B]."""

    def __init__(self, rates: Sequence[Sequence[float]]) -> None:
        self.rates = torch.tensor(rates, dtype=torch.float64)

    def begin(self):
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        mine = torch.arange(len(x)).double()[:, None]
        return Prediction(mine, torch.zeros_like(mine), self.rates[at.index])


def chosen(rates: Sequence[Sequence[float]], group: int, grid: Sequence[Level] | None = None) -> list[list[int]]:
    """Who stands where at each step; log SNR grows by 1 a step."""
    n = len(rates[0])
    grid = grid or [Cosine().level(Cosine().u_of(torch.tensor(float(i)))) for i in range(len(rates) + 1)]
    moments = particles.trajectory(Told(rates), torch.zeros(n, 1), grid, noise=Noise(range(n)), group=group)
    return [m.prediction.x0[:, 0].long().tolist() for m in moments]


def test_who_weighs_more_takes_the_place_of_who_weighs_less_in_its_group() -> None:
    far = [0, 1000, 0, 0, 0, 0, 0, 1000]
    assert chosen([[0] * 8, far, [0] * 8, [0] * 8], 4)[1] == [1] * 4 + [7] * 4
    assert chosen([[0] * 8, far, [0] * 8, [0] * 8], 8)[1][0] in (1, 7)


def test_a_weight_is_the_mean_of_the_rates_at_both_ends_times_the_step() -> None:
    """Shares of 1/4 and 3/4: before the last but one step all are resampled, but for what they weigh by then."""
    rates = [[0.0, 2 * math.log(3) - 1.0], [0.0, 1.0], [0.0, 0.0]]
    seen = torch.tensor([chosen([[each for each in row for _ in range(50)] for row in rates], 100)[1]])
    assert float((seen >= 50).double().mean()) == pytest.approx(0.75, abs=0.011)


def test_from_pure_noise_on_the_weight_is_the_rate() -> None:
    grid = [*levels(Flow(), 3)][:2] + [Flow().level(torch.tensor(u)) for u in (0.3, 0.2)]
    rates = [[0.0] * 100, [0.0] * 50 + [math.log(3)] * 50, [0.0] * 100]
    assert sum(i >= 50 for i in chosen(rates, 100, grid)[1]) == pytest.approx(75, abs=1)


def test_groups_with_weights_nearly_alike_are_left_until_the_end() -> None:
    """The effective number of (1, 1, 1, 2) is 25 / 7: more than 2. The last step draws no noise and takes all."""
    nearly, none = [0.0, 0.0, 0.0, 2 * math.log(2)], [0.0] * 4
    found = chosen([none, nearly, none, none, none], 4)
    assert found[1] == found[2] == [0, 1, 2, 3]
    assert found[3] != [0, 1, 2, 3]
    assert found[4] == [0, 1, 2, 3]


def test_who_is_resampled_weighs_as_much_as_the_others_from_there_on() -> None:
    """And is not resampled again by what it weighed before."""
    far, none = [0, 1000, 0, 0], [0] * 4
    assert chosen([far, none, none, none, none], 4)[1:] == [[1] * 4, *[[0, 1, 2, 3]] * 3]


def test_the_last_step_resamples_nobody() -> None:
    """It draws no noise to part copies."""
    far, none = [0, 1000, 0, 0], [0] * 4
    assert chosen([none, none, none, far], 4)[3] == [0, 1, 2, 3]


def test_what_is_drawn_to_resample_is_drawn_once_and_apart() -> None:
    noise = Together(4)
    grid, x = levels(Cosine(), 12), X[:4]
    sampler("particles(group=4)")(guide("tilt(3)", MIXTURE, LABELS[:4]), x, grid, noise=noise)
    assert len(set(noise.drawn)) == len(noise.drawn)
    assert {part for _, part in noise.drawn} == {0, 1}
    assert (10, 1) in noise.drawn
    assert (11, 1) not in noise.drawn


def test_systematic_resampling_is_right_on_average_and_off_by_less_than_one() -> None:
    shares = torch.tensor([[0.05, 0.4, 0.3, 0.25], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)
    shifts = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    places = torch.stack([systematic(shares, shift.expand(2)) for shift in shifts])
    counts = torch.stack([(places == i).sum(2) for i in range(4)], 2).double()
    assert torch.allclose(counts.mean(0), 4 * shares, atol=1e-9)
    assert ((counts - 4 * shares).abs() < 1).all()
    assert (places[:, 1] == torch.arange(4)).all()


# Steps.


class Linear:
    """Exact for data of mean 0 and this variance."""

    def __init__(self, variance: float = 1.0) -> None:
        self.variance = variance

    def begin(self):
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        a, total = at.level, at.level.alpha**2 * self.variance + at.level.sigma**2
        return Prediction(a.alpha * self.variance / total * x, a.sigma / total * x)


class Ones:
    def normal(self, step: int, part: int, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        return torch.ones(1, *shape)


@pytest.mark.parametrize("stir", [1, 2.5, 5, 40])
@pytest.mark.parametrize("process", [Cosine(), Flow(), EDM()], ids=lambda p: type(p).__name__)
def test_for_data_of_variance_one_every_step_is_exact(stir: float, process) -> None:
    """Variance alpha'^2 + sigma'^2 from alpha^2 + sigma^2, over any distance, from pure noise on."""
    for u, v in ((1.0, 0.9), (1.0, 0.1), (0.7, 0.6), (0.7, 0.05)):
        at, to = (process.level(torch.tensor(t, dtype=torch.float64)) for t in (u, v))
        zero, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
        std = float(particles(Linear(), zero, [at, to], noise=Ones(), stir=stir))  # type: ignore[arg-type]
        gain = float(particles(Linear(), one, [at, to], noise=Ones(), stir=stir)) - std  # type: ignore[arg-type]
        before, after = (float(t.alpha**2 + t.sigma**2) for t in (at, to))
        assert gain**2 * before + std**2 == pytest.approx(after)


def test_the_more_is_stirred_the_less_is_left_of_where_it_was() -> None:
    at, to = Cosine().level(torch.tensor(0.5)), Cosine().level(torch.tensor(0.45))
    ends = [particles(Linear(), torch.ones(1, 1), [at, to], noise=Ones(), stir=s) for s in (1, 5, 500)]  # type: ignore
    without = [particles(Linear(), torch.zeros(1, 1), [at, to], noise=Ones(), stir=s) for s in (1, 5, 500)]  # type: ignore
    gains = [float(a - b) for a, b in zip(ends, without, strict=True)]
    assert gains[0] > gains[1] > gains[2] == pytest.approx(float(to.alpha * at.alpha))


# What is refused.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("particles", "12 do not split into groups of 0: say group, as in particles(group=64)"),
        ("particles(group=5)", "12 do not split into groups of 5"),
        ("particles(group=2.5)", "groups of 2.5"),
        ("particles(group=-1)", "groups of -1"),
        ("particles(group=4, stir=0.5)", "stir must be finite and at least 1"),
        ("particles(group=4, stir=nan)", "stir must be finite and at least 1"),
        ("particles(group=4, stir=inf)", "stir must be finite and at least 1"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]*$") as error:
        drawn("tilt(3)", text=text)
    assert says in str(error.value)


@pytest.mark.parametrize("rule", ["interval(tilt(3), lo=0, hi=2)", "interval(tilt(3), lo=.5, hi=inf)"])
def test_weights_that_come_or_go(rule: str) -> None:
    with pytest.raises(UsageError, match="at some levels and not at others: let tilt stand alone"):
        drawn(rule)


def test_it_asks_for_its_noise() -> None:
    with pytest.raises(UsageError, match="give it noise=Noise"):
        particles(guide("tilt(3)", MIXTURE, LABELS), X, levels(Cosine(), 4), group=4)
