"""A schedule fitted by self-consistency, on denoisers that are exact, and wrong in a known way."""

import pytest
import torch

from lodestar.conditions import Label, LabelSchema
from lodestar.core import generator
from lodestar.data import Batch
from lodestar.errors import UsageError
from lodestar.guidance import guide, parse
from lodestar.measure.consistency import KNOTS, Pairs, fit, fitted, hats, pairs
from lodestar.oracle import GaussianMixture, sliced_w1
from lodestar.oracle.wrong import Undertrained
from lodestar.process import Flow, levels
from lodestar.samplers import sampler
from tiny import tiny

MIXTURE = GaussianMixture.random(2, 3, generator(3))
LITTLE = Undertrained(MIXTURE, 0.8)
N = 16_000


def seen(net, seed: int, n: int = N) -> Pairs:
    g = generator(seed, 5)
    labels = torch.randint(3, (n,), generator=g)
    return pairs(net, Flow(), MIXTURE.sample(n, g, labels), Label(labels), seed=seed, batch=n)


@pytest.fixture(scope="module")
def little():
    """What is fitted to the denoiser that learnt little."""
    return fit(seen(LITTLE, 0))


def drawn_off(net, guidance: str, n: int = 1500) -> float:
    """Sliced W1 of samples to the truth, in the mean over the classes."""
    x = torch.randn(n, 2, generator=generator(8), dtype=torch.float64)
    off = []
    for label in range(3):
        labels = torch.full((n,), label)
        found = sampler("ddim")(guide(guidance, net, Label(labels)), x, levels(Flow(), 24))
        off.append(float(sliced_w1(found, MIXTURE.sample(4000, generator(77), labels.repeat(3)[:4000]))))
    return sum(off) / len(off)


@pytest.mark.slow
def test_an_exact_denoiser_is_left_unguided():
    assert fit(seen(MIXTURE, 0)).weights == (0,) * len(KNOTS)


def test_a_denoiser_that_learnt_little_is_guided_and_the_loss_is_less_on_fresh_noise(little):
    assert 0.5 < max(little.weights) < 4
    fresh = seen(LITTLE, 1)
    gain = fresh.loss(torch.zeros(N, dtype=torch.float64)) - fresh.loss(little.weight(fresh.time))
    assert gain.mean() > 3 * gain.std() / N**0.5


@pytest.mark.slow
def test_what_is_drawn_with_it_is_nearer_to_the_truth_than_with_any_constant(little):
    found = drawn_off(LITTLE, str(little))
    assert found < 0.7 * drawn_off(LITTLE, "cfg(1)")
    assert found < min(drawn_off(LITTLE, f"cfg({scale})") for scale in (1.2, 1.4, 1.6, 1.8, 2, 2.5))


def test_the_loss_is_that_of_the_samples_themselves():
    found = seen(LITTLE, 2, n=50)
    a, b, c, d = (torch.randn(50, 7, generator=generator(i), dtype=torch.float64) for i in range(4))

    def parts(a, b):
        return torch.stack([(p * q).mean(1) for p, q in ((a, a), (a, b), (b, b))], 1)

    own = Pairs(found.time, parts(a, b)[:, None], parts(c, d)[:, None])
    w = torch.linspace(0, 3, 50, dtype=torch.float64)

    def length(x):
        return x.square().mean(1).sqrt()

    expected = length(a + w[:, None] * b) - length(c + w[:, None] * d) / 2
    assert torch.allclose(own.loss(w), expected)


def test_the_expression_is_the_schedule_that_was_fitted(little):
    rule = parse(str(little))
    assert str(rule) == str(little)
    times = torch.tensor([0.05, 0.2, 0.5, 0.66, 0.99], dtype=torch.float64)
    for t, expected in zip(times, little.weight(times), strict=True):
        assert float(rule.shape(Flow().level(t))) == pytest.approx(float(expected), abs=2e-3)


def test_knots_share_what_is_between_them():
    basis = hats(KNOTS, torch.linspace(0.01, 0.99, 20, dtype=torch.float64))
    assert torch.allclose(basis.sum(1), torch.ones(20, dtype=torch.float64))
    assert (basis >= 0).all()


class Colours:
    """Pictures of three classes, or without any."""

    classes = ("cat", "dog", "owl")
    resolution = 8

    def __init__(self, labelled: bool = True) -> None:
        self.labelled = labelled

    def batches(self, size: int, seed: int, start: int = 0):
        g = torch.Generator().manual_seed(seed)
        labels = torch.randint(3, (size,), generator=g)
        yield Batch(torch.randint(256, (size, 3, 8, 8), generator=g).byte(), None, labels if self.labelled else None)


def test_a_model_is_fitted_on_its_own_kind_of_data():
    done = []
    found = fitted(tiny(LabelSchema(Colours.classes)), Colours(), 20, batch=8, on_pictures=lambda n, of: done.append(n))
    assert done == [8, 16, 20]
    assert str(found).startswith("schedule(cfg(2), shape=table(")
    again = fitted(tiny(LabelSchema(Colours.classes)), Colours(), 20, batch=20)
    assert again.weights == pytest.approx(found.weights, abs=1e-3)


def test_data_that_does_not_say_enough_is_refused():
    with pytest.raises(UsageError, match="the data does not say what model 'tiny' is told: a label for each picture"):
        fitted(tiny(LabelSchema(Colours.classes)), Colours(labelled=False), 4)
    with pytest.raises(UsageError, match="is told nothing"):
        fitted(tiny(None), Colours(), 4)
