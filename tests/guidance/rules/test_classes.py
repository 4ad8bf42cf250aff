import pytest
import torch

from lodestar.conditions import Label
from lodestar.core import Noise, Step, lerp
from lodestar.errors import UsageError
from lodestar.guidance import guide, parse, take
from lodestar.guidance.rules.subtract.classes import Classes
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine, Flow, levels
from lodestar.samplers import sampler

ORACLE = GaussianMixture.random(2, 3, torch.Generator().manual_seed(1))
NAMES, B = ("a", "b", "c"), 48
PRIOR = torch.stack([ORACLE.weights[ORACLE.classes == k].sum() for k in range(3)])
LABELS = Label(torch.arange(B) % 3)
NAMED = {name: Label(torch.tensor([k])) for k, name in enumerate(NAMES)}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LEVEL = Cosine().level(torch.tensor(0.5, dtype=torch.float64))


def bound(rule, labels=LABELS, kind="v"):
    return guide(rule, ORACLE.as_network(kind), labels, kind=kind, named=NAMED)


def truth(x, level):
    """p(k | x) [K, B]."""
    joint = [ORACLE.log_density(x, level, torch.full((len(x),), k)) for k in range(3)]
    return (torch.stack(joint) + PRIOR.log()[:, None]).softmax(0)


def test_with_the_exact_posterior_it_is_cfg_with_the_exact_null(monkeypatch):
    """The paper's remark: sum_k p(k | x) of the conditional scores is the unconditional one."""
    g = bound(Classes(3, NAMES, PRIOR.tolist()))
    monkeypatch.setattr(Classes, "posterior", lambda self, x, level: truth(x, level).log())
    found, expected = g(X, Step(LEVEL)), lerp(ORACLE(X, LEVEL), ORACLE(X, LEVEL, LABELS), 3)
    torch.testing.assert_close(found.x0, expected.x0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.eps, expected.eps, rtol=1e-9, atol=1e-9)


def test_in_pure_noise_x_shows_no_class_and_the_prior_is_the_posterior():
    level = Flow().level(torch.tensor(1.0, dtype=torch.float64))
    found = bound(Classes(0, NAMES, PRIOR.tolist()))(X, Step(level))
    torch.testing.assert_close(found.x0, ORACLE(X, level).x0)
    uniform = bound(Classes(0, NAMES))(X, Step(level))
    assert (uniform.x0 - found.x0).abs().max() > 0.01


class Watched:
    """A denoiser whose posteriors are compared with the truth at each step."""

    def __init__(self, denoise):
        self.denoise, self.off = denoise, []

    def begin(self):
        self.denoise = self.denoise.begin()
        return self

    def __call__(self, x, at):
        p = self.denoise(x, at)
        log_p = self.denoise._running.past[0]
        self.off.append(float((log_p.softmax(0) - truth(x, at.level)).abs().sum(0).mean() / 2))
        return p


def along(name, steps, scale=3.0):
    """How wrong p(k | x) is on the way, in total variation: the mean over samples and the worst step."""
    watched, noise = Watched(bound(Classes(scale, NAMES, PRIOR.tolist()))), Noise(range(B))
    sampler(name)(watched, noise.normal(-1, 0, (2,)).double(), levels(Cosine(), steps, "u"), noise=noise)
    return max(watched.off)


def test_along_an_ancestral_trajectory_the_posterior_is_found_from_the_conditional_scores_alone():
    """The finer the steps, the nearer; the prior in its place would be 0.3 off, and so is a walk without noise."""
    coarse, fine = along("ancestral", 20), along("ancestral", 100)
    assert coarse < 0.1
    assert fine < 0.5 * coarse
    assert along("ddim", 40) > 2 * fine


def test_a_step_is_bayes_rule():
    """p(k | x') ~ p(k | x) N(x'; mean of x' | x, k; its variance), in alpha and sigma."""
    to = Cosine().level(torch.tensor(0.45, dtype=torch.float64))
    g, y = bound(Classes(3, NAMES, PRIOR.tolist())), 0.9 * X
    g(X, Step(LEVEL, 0, 2))
    g(y, Step(to, 1, 2))
    keep = LEVEL.alpha / to.alpha  # x = keep x' + forward noise
    variance = LEVEL.sigma**2 - keep**2 * to.sigma**2
    expected = []
    for k in range(3):
        x0 = ORACLE(X, LEVEL, Label(torch.full((B,), k))).x0
        mean = keep * to.sigma**2 / LEVEL.sigma**2 * X + to.alpha * variance / LEVEL.sigma**2 * x0
        expected.append(-(y - mean).square().sum(1) / (2 * variance) + PRIOR[k].log())
    torch.testing.assert_close(g._running.past[0].softmax(0), torch.stack(expected).softmax(0))


def test_a_corrector_reads_what_is_known_and_does_not_count_twice():
    g, to = bound(Classes(3, NAMES)), Cosine().level(torch.tensor(0.4, dtype=torch.float64))
    g(X, Step(LEVEL, 0, 2))
    first = g._running.past[0]
    g(0.9 * X, Step(to, 0, 2, part=1))
    assert g._running.past[0] is first
    g(0.9 * X, Step(to, 1, 2))
    assert not torch.equal(g._running.past[0].softmax(0), first.softmax(0))


def test_it_costs_a_row_a_class_and_none_at_scale_one():
    g = bound(Classes([1.0] * (B - 1) + [3.0], NAMES))
    g(X, Step(LEVEL))
    assert g.evaluations == B + 3
    alone = bound(Classes(1, NAMES))
    assert torch.equal(alone(X, Step(LEVEL)).x0, bound("cfg(1)")(X, Step(LEVEL)).x0)
    assert alone.evaluations == B


def test_samples_do_not_see_each_other():
    rule = Classes(torch.linspace(0, 4, B), NAMES, PRIOR.tolist())
    one = slice(5, 6)
    whole, single = bound(rule), bound(take(rule, one), LABELS[one])
    for i, u in enumerate((0.9, 0.6, 0.5)):
        at = Step(Cosine().level(torch.tensor(u, dtype=torch.float64)), i, 3)
        torch.testing.assert_close(whole(X * (1 - i / 10), at).x0[one], single(X[one] * (1 - i / 10), at).x0)


def test_a_trajectory_starts_from_the_prior():
    g = bound(Classes(3, NAMES))
    running = g.begin()
    running(X, Step(LEVEL))
    assert running._running.past
    assert g.begin()._running.past == []


def test_names_and_priors_that_are_none():
    assert parse('classes(3, names=["a", "b"], prior=[1, 3])') == Classes(3, ("a", "b"), (1.0, 3.0))
    for prior in ("[1]", "[1, 0]", "[1, -1]", "1", '["a", 1]', "[[1, 2], 1]", "[1, nan]"):
        with pytest.raises(UsageError, match="prior must be"):
            parse(f'classes(3, names=["a", "b"], prior={prior})')
    with pytest.raises(UsageError, match="needs a condition named 'first'"):
        guide(Classes(), ORACLE.as_network("v"), LABELS, kind="v")(X, Step(LEVEL))
