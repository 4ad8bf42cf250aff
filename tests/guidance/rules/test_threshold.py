import pytest
import torch

from lodestar.core import Level, Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.guidance import CFG, RULES, View
from lodestar.process import Flow

Threshold = RULES["threshold"]
LEVEL = Flow().level(torch.tensor(0.4, dtype=torch.float64))
AT = Step(LEVEL)
X, COND, NULL = torch.randn(3, 4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
VIEW = View(X, {"cond": convert("x0", COND, X, LEVEL), "null": convert("x0", NULL, X, LEVEL)})


def test_x0_is_clipped_and_eps_is_that_of_the_same_x():
    g = Threshold(CFG(4))(VIEW, AT)
    expected = convert("x0", (4 * COND - 3 * NULL).clamp(-1, 1), X, LEVEL)
    assert torch.allclose(g.x0, expected.x0, atol=1e-6)
    assert torch.allclose(g.eps, expected.eps, atol=1e-5)
    assert g.x0.abs().max() == 1


def test_what_lies_in_the_range_is_left_alone_bit_for_bit():
    inner = CFG(4)(VIEW, AT)
    for rule in (Threshold(CFG(4), lo=-99, hi=99), Threshold(CFG(4), lo=float("-inf"), hi=float("inf"))):
        g = rule(VIEW, AT)
        assert torch.equal(g.x0, inner.x0)
        assert torch.equal(g.eps, inner.eps)


def test_each_sample_has_its_own_range():
    g = Threshold(CFG(4), lo=-0.5, hi=[0.5, 1, 1.5, 2])(VIEW, AT)
    assert g.x0.flatten(1).amax(1).tolist() == [0.5, 1, 1.5, 2]
    assert g.x0.flatten(1).amin(1).tolist() == [-0.5] * 4


def test_without_noise_x0_is_clipped_and_eps_left():
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    p = Prediction(COND, NULL)
    g = Threshold(CFG(1))(View(X, {"cond": p, "null": p}), Step(Level(one, zero, -one, one)))
    assert torch.equal(g.x0, COND.clamp(-1, 1))
    assert torch.equal(g.eps, NULL)


def test_only_the_inner_rules_asks_are_asked():
    assert set(Threshold(CFG(4)).asks(AT)) == {"cond", "null"}
    assert not Threshold(CFG(1)).asks(AT)["null"].rows


@pytest.mark.parametrize("fields", [{"lo": 2}, {"lo": [0, 2]}, {"hi": -2}, {"lo": float("nan")}, {"hi": "one"}])
def test_bounds(fields):
    with pytest.raises(UsageError, match=r"lo must be at most hi|must lie in \[-inf, inf\], got"):
        Threshold(CFG(4), **fields)
