"""UniPC: the paper's linear system, and where the lower orders stand in."""

import math

import pytest
import torch
from torch import Tensor

from bent import Bent, X, at_lam
from lodestar.core import Level, Prediction, Step
from lodestar.process import Flow, levels
from lodestar.samplers.ddim import ddim
from lodestar.samplers.unipc import unipc


def step(to: Level, x0: Tensor, eps: Tensor) -> Tensor:
    return to.alpha * x0 + to.sigma * eps


def unic_1(to: Level, h: float, x0: Tensor, new: Tensor) -> Tensor:
    """What it adds to a first-order step: -alpha' B_2(-h) (x0' - x0) / 2."""
    return -to.alpha * math.expm1(-h) * (new - x0) / 2


def test_the_third_step_starts_from_what_the_papers_system_says() -> None:
    """rho solves R rho = b, with rows r^{k-1} and b_k = k! phi_{k+1}(-h) / B, as Sec. 3 has it for x0."""
    a, b, c, d = at_lam(-1.0, 0.0, 1.5, 2.5)
    old = Bent()(X, Step(a))
    x = step(b, old.x0, old.eps)
    p = Bent()(x, Step(b))
    eps = p.eps + unic_1(b, 0.5, old.x0, p.x0) / b.sigma
    h = 0.75
    predicted = step(c, p.x0, eps) - c.alpha * math.expm1(-h) * (p.x0 - old.x0) / (2 * 0.5 / h)
    new = Bent()(predicted, Step(c))
    r, whole = -0.5 / h, math.expm1(-h)
    phi = whole / -h - 1
    system = torch.tensor([[1.0, 1.0], [r, 1.0]], dtype=torch.float64)
    first, second = torch.linalg.solve(system, torch.tensor([phi, 2 * (phi / -h - 0.5)]).double() / whole).tolist()
    corrected = step(c, p.x0, eps) - c.alpha * whole * (first * (old.x0 - p.x0) / r + second * (new.x0 - p.x0))
    moved = new.eps + (corrected - predicted) / c.sigma
    expected = step(d, new.x0, moved) - d.alpha * math.expm1(-0.5) * (new.x0 - p.x0) / (2 * h / 0.5)
    assert torch.allclose(unipc(Bent(), X, [a, b, c, d]), expected)


def test_the_first_step_is_ddim() -> None:
    assert torch.equal(unipc(Bent(), X, at_lam(-1.0, 0.0)), ddim(Bent(), X, at_lam(-1.0, 0.0)))


def test_after_a_long_step_the_corrector_is_of_order_one() -> None:
    a, b, c, d = at_lam(-1.0, 0.0, 2.1, 8.0)
    old = Bent()(X, Step(a))
    p = Bent()(step(b, old.x0, old.eps), Step(b))
    x = step(c, p.x0, p.eps + unic_1(b, 0.5, old.x0, p.x0) / b.sigma)
    new = Bent()(x, Step(c))
    expected = step(d, new.x0, new.eps + unic_1(c, 1.05, p.x0, new.x0) / c.sigma)
    assert torch.allclose(unipc(Bent(), X, [a, b, c, d]), expected)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_from_pure_noise_it_is_exact_for_what_grows_with_alpha_over_sigma(shift: float) -> None:
    """x / sigma = eps + 1/2 (alpha / sigma)^2 where x0 = alpha / sigma."""

    class Growing(Bent):
        def __call__(self, x: Tensor, at: Step) -> Prediction:
            a = at.level
            x0 = (a.alpha / a.sigma).expand_as(x)
            return Prediction(x0, (x - a.alpha * x0) / a.sigma)

    grid = levels(Flow(shift), 4)[:3]
    s = grid[1].alpha / grid[1].sigma
    expected = step(grid[2], s, X + s**2 / 2 - s * s)
    assert torch.allclose(unipc(Growing(), X, grid), expected)


def test_per_sample_levels_are_the_loop_over_samples() -> None:
    """One row falls back at its second step, the other does not."""
    grids = [at_lam(-1.0, 0.0, 1.0, 2.0), at_lam(-1.0, 0.0, 3.0, 4.0)]
    both = [Level(*map(torch.stack, zip(a._fields(), b._fields(), strict=True))) for a, b in zip(*grids, strict=True)]
    apart = torch.cat([unipc(Bent(), X[i : i + 1], grids[i]) for i in range(2)])
    assert torch.allclose(unipc(Bent(), X[:2], both), apart)
