"""Wrong denoisers, and the point of them: on an exact one guidance only takes the samples away from the conditional."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import Level, Prediction, lerp
from lodestar.errors import UsageError
from lodestar.guidance import guide
from lodestar.oracle import WRONG, Blurred, GaussianMixture, Limited, Tilted, Undertrained, w1
from lodestar.process import Cosine, Flow, levels
from lodestar.samplers import sampler

N = 200  # starting points, at equal steps of probability: nothing is random here
START = torch.distributions.Normal(0.0, torch.ones((), dtype=torch.float64)).icdf((torch.arange(N) + 0.5).double() / N)
MIXTURE = GaussianMixture(
    torch.ones(4),
    torch.tensor([[-1.6], [-0.6], [0.6], [1.6]]),
    torch.full((4, 1, 1), 0.04),
    torch.tensor([0, 0, 1, 1]),
)
TRUTH = Tilted(MIXTURE, 1, 1.0)
Network = Callable[[Tensor, Level, Label | None], Prediction]


def off(network: Network, rule: str) -> float:
    """W1 of what is drawn by this rule from the true conditional."""
    denoise = guide(rule, network, Label(torch.ones(N, dtype=torch.int64)))
    x = sampler("dpmpp_2m")(denoise, START[:, None], levels(Cosine(), 30, "karras"))
    return float(w1(x[:, 0], TRUTH.grid.centres()[:, 0], None, TRUTH.masses()))


def each() -> list[Network]:
    return [cls(MIXTURE) for cls in WRONG.values()]


@pytest.mark.parametrize("network", each(), ids=list(WRONG))
def test_each_is_a_denoiser_that_is_wrong(network: Network) -> None:
    x = torch.randn(5, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level, labels = Cosine().level(torch.tensor([0.05, 0.2, 0.4, 0.6, 0.9])), Label(torch.tensor([0, 1, -1, 1, 0]))
    p, a = network(x, level, labels), level.like(x)
    assert torch.allclose(a.alpha * p.x0 + a.sigma * p.eps, x)
    assert not torch.allclose(p.x0, MIXTURE(x, level, labels).x0, atol=0.01)
    null = network(x, level, None)
    assert torch.allclose(null.x0[2], p.x0[2])
    assert not torch.allclose(null.x0, p.x0, atol=0.01)


def test_nothing_is_wrong_in_pure_noise() -> None:
    noise, x = Flow().level(torch.tensor(1.0)), torch.randn(3, 1, dtype=torch.float64)
    for network in each():
        assert torch.allclose(network(x, noise, None).x0, MIXTURE(x, noise).x0)


def test_the_exact_denoiser_needs_no_guidance() -> None:
    found = [off(MIXTURE, f"cfg({scale})") for scale in (0.8, 1, 1.2, 1.5, 3)]
    assert min(found) == found[1] < 0.015
    assert found[1:] == sorted(found[1:])


@pytest.mark.parametrize(
    "network", [Undertrained(MIXTURE, 0.3), Blurred(MIXTURE, 0.4)], ids=["undertrained", "blurred"]
)
def test_on_these_guidance_comes_nearer_to_the_true_conditional(network: Network) -> None:
    plain, guided, far = (off(network, f"cfg({scale})") for scale in (1, 1.15, 4))
    assert guided < 0.95 * plain < far


def test_a_merged_network_is_not_mended_by_its_null() -> None:
    network = Limited(MIXTURE, 1)
    assert off(network, "cfg(1)") < off(network, "cfg(1.2)")


def test_going_on_from_a_worse_network_mends_a_better_one() -> None:
    """Autoguidance, Karras et al. 2024: weak + scale (main - weak), both conditional, wrong in the same way."""
    weak, main = Blurred(MIXTURE, 0.4), Blurred(MIXTURE, 0.25)

    def guided(x: Tensor, level: Level, labels: Label | None) -> Prediction:
        return lerp(weak(x, level, labels), main(x, level, labels), 2.0)

    assert off(guided, "cfg(1)") < 0.6 * off(main, "cfg(1)")


def test_blurred_is_exact_for_the_blurred_data() -> None:
    wide, x = Blurred(MIXTURE, 0.5), torch.randn(4, 1, dtype=torch.float64)
    data = GaussianMixture(MIXTURE.weights, MIXTURE.means, MIXTURE.covariances + 0.25, MIXTURE.classes)
    level = Flow().level(torch.tensor(0.3))
    assert torch.allclose(wide(x, level).x0, data(x, level).x0)


def test_undertrained_grows_wrong_towards_clean_data() -> None:
    x, network = torch.full((1, 1), 0.3, dtype=torch.float64), Undertrained(MIXTURE, 0.3)
    wrong = []
    for sigma in (0.95, 0.6, 0.3):
        level = Flow().level(torch.tensor(sigma))
        exact, plain = MIXTURE(x, level), network.coarse(x, level)
        wrong.append(float((network(x, level).x0 - exact.x0) / (plain.x0 - exact.x0)))
    assert wrong == sorted(wrong)
    assert 0 < wrong[0] < 0.05 < 0.2 < wrong[-1] < 0.3


def test_limited_keeps_the_moments_of_each_class_and_merges_the_nearest() -> None:
    mixture = GaussianMixture.random(2, 2, torch.Generator().manual_seed(3), per_class=4)
    learnt = Limited(mixture, 2).learnt
    assert learnt.classes.tolist() == [0, 0, 1, 1]
    for c in (0, 1):
        assert all(torch.allclose(a, b) for a, b in zip(moments(learnt, c), moments(mixture, c), strict=True))
    near = torch.tensor([[0.0], [0.1], [3.0]])
    three = GaussianMixture(torch.ones(3), near, torch.full((3, 1, 1), 0.2), torch.zeros(3, dtype=torch.int64))
    assert sorted(Limited(three, 2).learnt.means[:, 0].tolist()) == pytest.approx([0.05, 3.0])


def moments(mixture: GaussianMixture, label: int) -> tuple[Tensor, Tensor, Tensor]:
    kept = mixture.classes == label
    w, m, c = mixture.weights[kept], mixture.means[kept], mixture.covariances[kept]
    second = torch.einsum("k,kde->de", w, c + m[:, :, None] * m[:, None])
    return w.sum(), w @ m, second


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Blurred(MIXTURE, 0.0), "width"),
        (lambda: Blurred(MIXTURE, float("nan")), "width"),
        (lambda: Undertrained(MIXTURE, 1.5), "share"),
        (lambda: Limited(MIXTURE, 0), "components"),
        (lambda: Limited(MIXTURE, 2), "would be exact"),
    ],
)
def test_mistakes(make: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()
