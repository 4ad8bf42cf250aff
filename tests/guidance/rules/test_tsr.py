import pytest
import torch

from lodestar.core import Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.guidance import CFG, RULES, View, guide
from lodestar.oracle import GaussianMixture
from lodestar.process import EDM, Cosine, Flow, levels
from lodestar.samplers import sampler

TSR = RULES["tsr"]
DIM, MEAN, STD = 3, torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), 0.7
PROCESSES = [Cosine(), Flow(), EDM()]
X = 2 * torch.randn(5, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
EACH = torch.tensor([0.001, 0.2, 0.5, 0.9, 1.0], dtype=torch.float64)


def gaussian(std: float, means: torch.Tensor = MEAN) -> GaussianMixture:
    """Equal weights; every component a class of its own."""
    means = means.reshape(-1, DIM)
    k = len(means)
    covariances = std**2 * torch.eye(DIM, dtype=torch.float64).expand(k, -1, -1)
    return GaussianMixture(torch.ones(k), means, covariances, torch.arange(k))


def close(a: Prediction, b: Prediction) -> bool:
    return torch.allclose(a.x0, b.x0) and torch.allclose(a.eps, b.eps)


@pytest.mark.parametrize("process", PROCESSES, ids=str)
@pytest.mark.parametrize("k", [0.25, 0.95, 1.0, 3.0, 20.0])
def test_on_a_gaussian_it_is_the_exact_denoiser_at_the_scaled_temperature(process, k):
    """At every level, in pure noise and in almost clean data too: the data's variance divided by k."""
    level = process.level(EACH)
    warm = guide(TSR(CFG(1), k=k, spread=STD), gaussian(STD))(X, Step(level))
    assert close(warm, gaussian(STD / k**0.5)(X, level))


@pytest.mark.parametrize("k", [0.5, 4.0])
def test_so_samples_have_the_scaled_spread(k):
    """The sampler is linear here: where it takes a standard deviation of the noise, it takes all of them."""
    start = torch.tensor([[-1.0], [0], [1]], dtype=torch.float64).expand(3, DIM)
    x = sampler("heun")(guide(TSR(CFG(1), k=k, spread=STD), gaussian(STD)), start, levels(Flow(), 24))
    assert torch.allclose(x[1], MEAN, atol=0.02)
    assert torch.allclose(x[2] - x[1], torch.full_like(MEAN, STD / k**0.5), rtol=0.01)


def test_clusters_keep_their_weight_and_change_their_width():
    centres = torch.tensor([[-4.0, 0, 0], [4, 0, 0]], dtype=torch.float64)
    level = Cosine().level(torch.tensor(0.3, dtype=torch.float64))
    near = level.alpha * centres.repeat_interleave(20, 0)
    x = near + 0.3 * torch.randn(40, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    colder = guide(TSR(CFG(1), k=4, spread=0.2), gaussian(0.2, centres))(x, Step(level))
    assert close(colder, gaussian(0.1, centres)(x, level))


@pytest.mark.parametrize("process", PROCESSES, ids=str)
def test_the_papers_equation_in_snr(process):
    level = process.level(EACH[1:4])
    snr, k, s = (level.alpha / level.sigma)[:, None] ** 2, 0.8, 1.5
    ratio = (snr * s**2 + 1) / (snr * s**2 / k + 1)
    eps = torch.randn(3, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    p = convert("eps", eps, X[:3], level)
    g = TSR(CFG(1), k=k, spread=s)(View(X[:3], {"cond": p, "null": p}), Step(level))
    assert close(g, convert("eps", ratio * eps, X[:3], level))


def test_the_authors_velocity_on_a_flow():
    """v' = (r ((1 - t) v + x) - x) / (1 - t) with t = sigma and v = eps - x0, as in their Euler scheduler."""
    t, k, s = EACH[1:4], 0.8, 0.1
    level = Flow().level(t)
    v, x, u = torch.randn(3, DIM, generator=torch.Generator().manual_seed(2), dtype=torch.float64), X[:3], t[:, None]
    snr = (1 - u) ** 2 / u**2
    ratio = (snr * s**2 + 1) / (snr * s**2 / k + 1)
    p = convert("flow", v, x, level)
    g = TSR(CFG(1), k=k, spread=s)(View(x, {"cond": p, "null": p}), Step(level))
    assert torch.allclose(g.velocity(level), (ratio * ((1 - u) * v + x) - x) / (1 - u))


def test_after_a_linear_rule_it_is_the_rule_of_what_is_rescaled():
    level = Cosine().level(EACH[1:])
    c, n = (convert("v", v, X[1:], level) for v in torch.randn(2, 4, DIM, dtype=torch.float64))
    alone = {
        name: TSR(CFG(1))(View(X[1:], {"cond": p, "null": p}), Step(level)) for name, p in (("cond", c), ("null", n))
    }
    assert close(TSR(CFG(4))(View(X[1:], {"cond": c, "null": n}), Step(level)), CFG(4)(View(X[1:], alone), Step(level)))


def test_one_is_the_inner_rule_bit_for_bit_and_pure_noise_is_left_alone():
    level = Flow().level(EACH)
    c, n = (convert("v", v, X, level) for v in torch.randn(2, 5, DIM, dtype=torch.float64))
    view = View(X, {"cond": c, "null": n})
    g, same, inner = (rule(view, Step(level)) for rule in (TSR(CFG(4), k=3), TSR(CFG(4), k=1), CFG(4)))
    assert torch.equal(same.x0, inner.x0)
    assert torch.equal(same.eps, inner.eps)
    assert torch.equal(g.x0[-1], inner.x0[-1])
    assert torch.equal(g.eps[-1], inner.eps[-1])


def test_each_sample_has_its_own_values():
    level = Flow().level(EACH)
    p = convert("v", torch.randn(5, DIM, dtype=torch.float64), X, level)
    view = View(X, {"cond": p, "null": p})
    g = TSR(CFG(1), k=[0.5, 1, 2, 3, 4], spread=[1, 2, 3, 0.1, 1])(view, Step(level))
    for i, (k, spread) in enumerate(zip((0.5, 1, 2, 3, 4), (1, 2, 3, 0.1, 1), strict=True)):
        assert torch.allclose(g.x0[i], TSR(CFG(1), k=k, spread=spread)(view, Step(level)).x0[i])


@pytest.mark.parametrize("fields", [{"k": 0}, {"k": -1}, {"spread": 0}, {"k": float("nan")}])
def test_both_are_above_none(fields):
    with pytest.raises(UsageError, match=r"must lie in \[1e-06, 1e\+06\], got"):
        TSR(CFG(4), **fields)
