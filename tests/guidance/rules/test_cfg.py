import pytest
import torch

from lodestar.core import Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.guidance import CFG, View, guide

C, N = (Prediction(*torch.randn(2, 4, 2, 3, generator=torch.Generator().manual_seed(s))) for s in (0, 1))
VIEW = View(torch.zeros(4, 2, 3), {"cond": C, "null": N})


def test_the_papers_equation(at):
    """(1 + w) eps(c) - w eps(null)."""
    g = CFG.from_w(3)(VIEW, at(1.0))
    assert torch.allclose(g.eps, 4 * C.eps - 3 * N.eps, atol=1e-5)
    assert torch.allclose(g.x0, 4 * C.x0 - 3 * N.x0, atol=1e-5)


def test_from_w_is_scale_minus_one():
    assert CFG.from_w(0.3) == CFG(1.3)
    assert CFG.from_w(torch.tensor([0.0, 4.0])) == CFG([1, 5])
    with pytest.raises(UsageError, match="w must be finite, got nan"):
        CFG.from_w(float("nan"))


def test_one_is_the_conditional_and_zero_the_null_bit_for_bit(at):
    for scale, end in ((1, C), (0, N)):
        g = CFG(scale)(VIEW, at(1.0))
        assert torch.equal(g.x0, end.x0)
        assert torch.equal(g.eps, end.eps)


def test_values_below_one_interpolate_and_below_zero_repel(at):
    assert torch.allclose(CFG(0.25)(VIEW, at(1.0)).eps, 0.25 * C.eps + 0.75 * N.eps, atol=1e-6)
    assert torch.allclose(CFG(-1)(VIEW, at(1.0)).eps, 2 * N.eps - C.eps, atol=1e-6)


def test_each_sample_has_its_own_scale(at):
    scales = [0.0, 1.0, 2.5, -1.0]
    g = CFG(torch.tensor(scales))(VIEW, at(1.0))
    for i, scale in enumerate(scales):
        assert torch.equal(g.x0[i], CFG(scale)(VIEW, at(1.0)).x0[i])


@pytest.mark.parametrize("kind", ["eps", "x0", "v", "flow"])
def test_guiding_the_raw_output_is_the_same_in_every_space(kind, x, at):
    step: Step = at(1.7)

    def net(x, level, c):
        return x * 0.1 + c.reshape(-1, 1, 1)

    cond, null = torch.arange(4.0), torch.full((1,), -1.0)
    raw = 3 * net(x, None, cond) - 2 * net(x, None, null)
    g = guide("cfg(3)", net, cond, kind=kind, named={"null": null})(x, step)
    assert torch.allclose(g.x0, convert(kind, raw, x, step.level).x0, atol=1e-4)
