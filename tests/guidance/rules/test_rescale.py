import pytest
import torch

from lodestar.core import Level, Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.guidance import CFG, Interval, Rescale, View, guide

_U = torch.tensor(0.6, dtype=torch.float64)
LEVEL = Level(_U.cos(), _U.sin(), -_U.sin(), _U.cos())
AT = Step(LEVEL)
GENERATOR = torch.Generator().manual_seed(0)
X, V_COND, V_NULL = torch.randn(3, 5, 2, 4, 4, generator=GENERATOR, dtype=torch.float64)
COND, NULL = convert("v", 2 * V_COND + 0.3, X, LEVEL), convert("v", V_NULL, X, LEVEL)
VIEW = View(X, {"cond": COND, "null": NULL})


def by_the_paper(phi: float, scale: float = 7.5) -> torch.Tensor:
    """Lin et al. 2023, eq. 14-16, on v."""
    c, n = COND.v(LEVEL), NULL.v(LEVEL)
    cfg = n + scale * (c - n)
    size = [t.flatten(1).std(1).reshape(-1, 1, 1, 1) for t in (c, cfg)]
    return phi * cfg * size[0] / size[1] + (1 - phi) * cfg


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.7, 1.0])
def test_the_papers_equations(phi):
    g = Rescale(CFG(7.5), phi=phi)(VIEW, AT)
    expected = convert("v", by_the_paper(phi), X, LEVEL)
    assert torch.allclose(g.x0, expected.x0)
    assert torch.allclose(g.eps, expected.eps)


def test_full_rescale_has_the_conditional_std_in_every_sample():
    v = Rescale(CFG(7.5), phi=1)(VIEW, AT).v(LEVEL)
    assert torch.allclose(v.flatten(1).std(1), COND.v(LEVEL).flatten(1).std(1))


def test_none_is_the_inner_rule_bit_for_bit():
    g, inner = Rescale(CFG(7.5), phi=0)(VIEW, AT), CFG(7.5)(VIEW, AT)
    assert torch.equal(g.x0, inner.x0)
    assert torch.equal(g.eps, inner.eps)


def test_the_std_is_of_v_and_not_of_eps():
    size = [p.eps.flatten(1).std(1) for p in (Rescale(CFG(7.5), phi=1)(VIEW, AT), COND)]
    assert not torch.allclose(*size, rtol=0.01)


def test_each_sample_has_its_own_phi():
    g = Rescale(CFG(7.5), phi=[0, 0.25, 0.5, 0.75, 1])(VIEW, AT)
    for i, phi in enumerate((0, 0.25, 0.5, 0.75, 1)):
        assert torch.allclose(g.x0[i], Rescale(CFG(7.5), phi=phi)(VIEW, AT).x0[i])


def test_a_flat_prediction_stays_finite():
    flat = Prediction(torch.zeros_like(X), torch.zeros_like(X))
    g = Rescale(CFG(7.5), phi=1)(View(X, {"cond": flat, "null": flat}), AT)
    assert torch.equal(g.x0, flat.x0)
    assert torch.equal(g.eps, flat.eps)


def test_the_conditional_is_asked_also_when_the_inner_rule_does_not(net, x, condition, at):
    g = guide(Rescale(CFG(0)), net, condition, kind="x0")
    g(x, at(1.0))
    assert sorted(net.passes[0]) == [0, 0, 0, 0, 1, 2, 3, 4]


def test_without_phi_the_conditional_is_not_asked_for_its_size(net, x, condition, at):
    g = guide(Rescale(CFG(0), phi=[0, 0.7, 0, 0]), net, condition, kind="x0")
    found = g(x, at(1.0))
    assert sorted(net.passes[0]) == [0, 0, 0, 0, 2]
    assert torch.equal(found.x0[0], guide(CFG(0), net, condition, kind="x0")(x, at(1.0)).x0[0])


def test_outside_an_interval_it_is_the_conditional_whichever_is_inside(net, x, condition, at):
    base = guide("cfg(1)", net, condition, kind="x0")(x, at(9.0))
    for rule in (Rescale(Interval(CFG(4))), Interval(Rescale(CFG(4)))):
        g = guide(rule, net, condition, kind="x0")
        assert torch.equal(g(x, at(9.0)).x0, base.x0)
        assert g.evaluations == 4


@pytest.mark.parametrize("phi", [-0.1, 1.1, float("nan"), "all"])
def test_phi_lies_between_none_and_all(phi):
    with pytest.raises(UsageError, match=r"phi must (lie in|be finite)"):
        Rescale(CFG(4), phi=phi)
