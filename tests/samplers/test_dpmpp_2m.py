"""DPM-Solver++(2M): the formula, and where it falls back to DDIM."""

import math

import pytest
import torch
from torch import Tensor

from bent import Bent, X, at_lam
from lodestar.core import Level, Noise, Prediction, Step
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine, Flow, levels
from lodestar.samplers.ddim import ddim
from lodestar.samplers.dpmpp_2m import dpmpp_2m


def test_second_step_is_the_papers() -> None:
    """Alg. 2 with D = (1 + 1 / 2r) x_i - (1 / 2r) x_{i-1}, then x = (sigma' / sigma) x - alpha' (e^{-h} - 1) D."""
    a, b, c = at_lam(-1.0, 0.0, 1.5)
    x1 = ddim(Bent(), X, [a, b])
    h_old, h = 0.5, 0.75
    p, old = Bent()(x1, Step(b)), Bent()(X, Step(a))
    d = p.x0 + (p.x0 - old.x0) * h / (2 * h_old)
    consistent = b.alpha * p.x0 + b.sigma * p.eps  # the x that this pair stands for
    expected = c.sigma / b.sigma * consistent - c.alpha * math.expm1(-h) * d
    assert torch.allclose(dpmpp_2m(Bent(), X, [a, b, c]), expected)


@pytest.mark.parametrize("lams", [(-1.0, 0.0), (-1.0, 0.0, 2.1)], ids=["first step", "a long step"])
def test_falls_back_to_ddim(lams: tuple[float, ...]) -> None:
    assert torch.equal(dpmpp_2m(Bent(), X, at_lam(*lams)), ddim(Bent(), X, at_lam(*lams)))


def test_falls_back_to_ddim_at_both_ends_of_a_flow() -> None:
    assert torch.equal(dpmpp_2m(Bent(), X, levels(Flow(), 2)), ddim(Bent(), X, levels(Flow(), 2)))
    assert not torch.equal(dpmpp_2m(Bent(), X, levels(Flow(), 4)), ddim(Bent(), X, levels(Flow(), 4)))


def test_per_sample_levels_are_the_loop_over_samples() -> None:
    """One row falls back at its second step, the other does not."""
    grids = [at_lam(-1.0, 0.0, 1.0), at_lam(-1.0, 0.0, 3.0)]
    both = [Level(*map(torch.stack, zip(a._fields(), b._fields(), strict=True))) for a, b in zip(*grids, strict=True)]
    apart = torch.cat([dpmpp_2m(Bent(), X[i : i + 1], grids[i]) for i in range(2)])
    assert torch.allclose(dpmpp_2m(Bent(), X[:2], both), apart)


ORACLE = GaussianMixture.random(2, 3, torch.Generator().manual_seed(0))


class Exact(Bent):
    def __call__(self, x: Tensor, at: Step) -> Prediction:
        return ORACLE(x, at.level)


def test_without_the_limit_a_cosine_ends_worse_than_by_ddim(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jump to lam_max is many times as long as the step before it; the one from there to clean is without end."""
    start, grid = Noise(range(16)).normal(-1, 0, (2,)).double(), levels(Cosine(), 20)
    truth = ddim(Exact(), start, levels(Cosine(), 1000))
    ours, first = ((f(Exact(), start, grid) - truth).norm() for f in (dpmpp_2m, ddim))
    monkeypatch.setitem(dpmpp_2m.steps.__globals__, "LONGEST", 1e6)
    bare = (dpmpp_2m(Exact(), start, grid) - truth).norm()
    assert ours < 0.3 * first
    assert bare > 2 * first
