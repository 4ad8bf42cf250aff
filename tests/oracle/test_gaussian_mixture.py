"""The oracle, against what it must be: scores by autograd, Bayes, torch's own mixtures, moments of its samples."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from lodestar.core import KINDS, Kind, Level, convert
from lodestar.errors import UsageError
from lodestar.oracle import CLEAN, GaussianMixture
from lodestar.process import Cosine, Flow


@dataclass
class Label:
    index: Tensor


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


ORACLE = GaussianMixture.random(3, 2, seeded())
LABELS = torch.tensor([0, 1, -1, 0, 1])
X = torch.randn(5, 3, generator=seeded(1), dtype=torch.float64)
LEVELS = Cosine().level(torch.tensor([0.1, 0.3, 0.5, 0.7, 0.95]))


def test_log_density_is_torchs_mixture() -> None:
    level = Flow().level(torch.tensor(0.4))
    spread = level.alpha**2 * ORACLE.covariances + level.sigma**2 * torch.eye(3, dtype=torch.float64)
    torchs = MixtureSameFamily(Categorical(ORACLE.weights), MultivariateNormal(level.alpha * ORACLE.means, spread))
    assert torch.allclose(ORACLE.log_density(X, level), torchs.log_prob(X))


def test_eps_is_the_score() -> None:
    """eps = -sigma grad log p(x | c), for labels and nulls, each row at its own level."""
    x = X.clone().requires_grad_()
    (score,) = torch.autograd.grad(ORACLE.log_density(x, LEVELS, LABELS).sum(), x)
    eps = ORACLE(X, LEVELS, Label(LABELS)).eps
    assert torch.allclose(eps, -LEVELS.sigma[:, None] * score)
    assert torch.allclose(ORACLE.score(X, LEVELS, LABELS), score)


def test_the_score_of_the_data_themselves() -> None:
    x = X.clone().requires_grad_()
    (score,) = torch.autograd.grad(ORACLE.log_density(x, labels=LABELS).sum(), x)
    assert torch.allclose(ORACLE.score(X, CLEAN, LABELS), score)


def branches(depth: int, pos: tuple[float, float], angle: float) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Weight, mean and covariance of the components of a tree of thin branches, as those of EDM2's toy example are."""
    if depth == 4:
        return []
    along, length = np.array([np.cos(angle), np.sin(angle)]), 0.4 * 0.8**depth
    across = np.array([-along[1], along[0]])
    spread = (0.06 * length) ** 2 * np.outer(along, along) + (0.004) ** 2 * np.outer(across, across)
    own = [(length * 0.5**depth, pos + along * length * t, spread) for t in np.linspace(0.1, 0.9, 5)]
    children = (branches(depth + 1, pos + along * length, angle + turn * 0.7**depth) for turn in (1, -1))
    return own + [component for child in children for component in child]


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.3, 5.0])
def test_density_and_score_are_those_of_edm2s_toy_example(sigma: float) -> None:
    """Karras et al. 2024, arXiv:2406.02507, appendix: p(x; sigma) = sum phi N(x; mu, Sigma + sigma^2 I) / sum phi, and
    score = sum phi N (Sigma + sigma^2 I)^{-1} (mu - x) / sum phi N, computed here as they stand."""
    phi, mu, cov = (np.stack(part) for part in zip(*branches(0, (0.0, 0.0), 0.8), strict=True))
    points = mu[::7] + 0.005 * np.random.default_rng(0).standard_normal(mu[::7].shape)
    densities, scores = [], []
    for x in points:
        star = cov + sigma**2 * np.eye(2)
        pull = np.stack([np.linalg.solve(s, m - x) for s, m in zip(star, mu, strict=True)])
        n = np.exp(-0.5 * ((mu - x) * pull).sum(1)) / np.sqrt((2 * np.pi) ** 2 * np.linalg.det(star))
        densities.append((phi * n).sum() / phi.sum())
        scores.append((phi * n) @ pull / (phi * n).sum())

    oracle = GaussianMixture(*(torch.tensor(v) for v in (phi, mu, cov)), torch.zeros(len(phi), dtype=torch.int64))
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    level, x = Level(one, one * sigma, zero, one), torch.tensor(points)
    score = torch.tensor(np.stack(scores))
    assert torch.allclose(oracle.log_density(x, level).exp(), torch.tensor(densities), rtol=1e-6, atol=0)
    assert torch.allclose(oracle.score(x, level), score, rtol=1e-6, atol=1e-6 * float(score.abs().max()))
    assert torch.allclose(oracle(x, level).x0, x + sigma**2 * score, rtol=1e-6, atol=1e-6)


def test_x0_and_eps_make_x() -> None:
    p, a = ORACLE(X, LEVELS, Label(LABELS)), LEVELS.like(X)
    assert torch.allclose(a.alpha * p.x0 + a.sigma * p.eps, X)


def test_a_class_is_the_mixture_of_its_components() -> None:
    kept = ORACLE.classes == 1
    alone = GaussianMixture(ORACLE.weights[kept], ORACLE.means[kept], ORACLE.covariances[kept], ORACLE.classes[kept])
    ones = torch.ones(5, dtype=torch.int64)
    assert torch.allclose(ORACLE(X, LEVELS, Label(ones)).x0, alone(X, LEVELS).x0)
    assert torch.allclose(ORACLE.log_density(X, LEVELS, ones), alone.log_density(X, LEVELS))


def test_bayes() -> None:
    prior = torch.stack([ORACLE.weights[ORACLE.classes == c].sum() for c in range(2)])
    each = torch.stack([ORACLE.log_density(X, LEVELS, torch.full((5,), c)) for c in range(2)], 1)
    assert torch.allclose(ORACLE.log_density(X, LEVELS), (prior.log() + each).logsumexp(1))


def test_no_condition_is_the_null() -> None:
    null = ORACLE(X, LEVELS, Label(torch.full((5,), -1)))
    assert torch.allclose(ORACLE(X, LEVELS).x0, null.x0)
    assert not torch.allclose(null.x0, ORACLE(X, LEVELS, Label(LABELS)).x0)


def test_rows_do_not_mix() -> None:
    row = ORACLE(X[2:3], LEVELS[2:3], Label(LABELS[2:3]))
    assert torch.allclose(row.x0[0], ORACLE(X, LEVELS, Label(LABELS)).x0[2])


def test_both_ends_are_exact() -> None:
    noise, clean = (Flow().level(torch.tensor(u)) for u in (1.0, 0.0))
    assert torch.allclose(ORACLE(X, noise).x0, (ORACLE.weights @ ORACLE.means).expand(5, 3))
    assert torch.allclose(ORACLE(X, noise).eps, X)
    assert torch.allclose(ORACLE(X, clean).x0, X)
    assert torch.equal(ORACLE(X, clean).eps, torch.zeros_like(X))


def test_x0_is_the_posterior_mean_of_its_own_samples() -> None:
    """x0 is the best predictor: its error is uncorrelated with any function of x."""
    n, level = 20_000, Flow().level(torch.tensor(0.5))
    x0 = ORACLE.sample(n, seeded(2))
    x = level.alpha * x0 + level.sigma * torch.randn(n, 3, generator=seeded(3), dtype=torch.float64)
    off = x0 - ORACLE(x, level).x0
    for g in (torch.ones_like(x), x, x.sin(), x**2):
        product = off * g
        assert (product.mean(0).abs() < 5 * product.std(0) / n**0.5).all()


@pytest.mark.parametrize("label", [-1, 0, 1])
def test_sample_moments(label: int) -> None:
    n, kept = 40_000, (ORACLE.classes == label) | (label < 0)
    w = (ORACLE.weights * kept) / ORACLE.weights[kept].sum()
    x = ORACLE.sample(n, seeded(4), torch.full((n,), label))
    mean = w @ ORACLE.means
    second = torch.einsum("k,kde->de", w, ORACLE.covariances + ORACLE.means[:, :, None] * ORACLE.means[:, None])
    assert torch.allclose(x.mean(0), mean, atol=0.03)
    assert torch.allclose(x.T @ x / n, second, atol=0.06)


def test_samples_at_a_level_are_noised_ones() -> None:
    n, level = 40_000, Flow().level(torch.tensor(0.4))
    x = ORACLE.sample(n, seeded(4), level=level)
    mean = ORACLE.weights @ ORACLE.means
    second = torch.einsum(
        "k,kde->de", ORACLE.weights, ORACLE.covariances + ORACLE.means[:, :, None] * ORACLE.means[:, None]
    )
    assert torch.allclose(x.mean(0), level.alpha * mean, atol=0.03)
    assert torch.allclose(x.T @ x / n, level.alpha**2 * second + level.sigma**2 * torch.eye(3), atol=0.06)


def test_sample_gives_each_row_its_label() -> None:
    apart = GaussianMixture(torch.ones(2), torch.tensor([[-50.0], [50.0]]), torch.ones(2, 1, 1), torch.tensor([0, 1]))
    labels = torch.tensor([0, 1, 1, 0])
    assert ((apart.sample(4, seeded(), labels) > 0).squeeze(1) == (labels == 1)).all()
    assert 0.3 < (apart.sample(400, seeded()) > 0).double().mean() < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_as_network_converts_back(kind: Kind) -> None:
    raw = ORACLE.as_network(kind)(X, LEVELS, Label(LABELS))
    assert torch.allclose(convert(kind, raw, X, LEVELS).x0, ORACLE(X, LEVELS, Label(LABELS)).x0, atol=1e-6)


def test_any_shape_of_x_and_float64_out() -> None:
    images = GaussianMixture.random(12, 2, seeded())
    x = torch.randn(4, 3, 2, 2, generator=seeded())
    p = images(x, LEVELS[1:], Label(LABELS[:4]))
    assert p.x0.shape == x.shape
    assert p.x0.dtype == p.eps.dtype == torch.float64
    assert torch.equal(p.eps.flatten(1), images(x.flatten(1), LEVELS[1:], Label(LABELS[:4])).eps)


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="classes"):
        ORACLE(X, LEVELS, Label(torch.full((5,), 7)))
    with pytest.raises(UsageError, match="positive"):
        GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.zeros(1, 2, 2), torch.zeros(1, dtype=torch.int64))
