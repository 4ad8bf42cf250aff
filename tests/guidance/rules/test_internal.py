import pytest
import torch

from lodestar.errors import UsageError
from lodestar.guidance import guide
from lodestar.guidance.rules.subtract.internal import Internal


class TwoHeads:
    """An x0 network whose inner head says 7 more."""

    def __init__(self):
        self.rows = 0

    def __call__(self, x, level, condition):
        self.rows += len(x)
        main = x / 2 + condition.value.reshape(-1, 1, 1)
        return {"main": main, "inner": main + 7}


@pytest.mark.parametrize("scale", [0, 0.5, 1, 1.4, 3])
def test_the_inner_head_is_subtracted(x, condition, at, scale):
    """inner + scale (final - inner)."""
    g = guide(Internal(scale), TwoHeads(), condition, kind="x0")
    expected = condition.value + 7 + scale * -7
    assert torch.allclose(g(x, at(1.0)).x0, x / 2 + expected.reshape(-1, 1, 1), atol=1e-5)


def test_it_costs_one_evaluation(x, condition, at):
    net = TwoHeads()
    g = guide(Internal(2), net, condition, kind="x0")
    g(x, at(1.0))
    assert net.rows == g.evaluations == 4
    assert g.calls == 1


def test_beside_cfg_it_costs_two(x, condition, at):
    g = guide("plus(cfg(2), internal(2))", TwoHeads(), condition, kind="x0")
    assert torch.allclose(g(x, at(1.0)).x0, x / 2 + (2 * condition.value - 7).reshape(-1, 1, 1), atol=1e-5)
    assert g.evaluations == 8


def test_a_network_without_an_inner_head(net, x, condition, at):
    with pytest.raises(UsageError, match="needs a network with the head 'inner'"):
        guide(Internal(), net, condition, kind="x0")(x, at(1.0))
