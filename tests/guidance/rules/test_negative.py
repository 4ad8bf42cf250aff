import pytest
import torch

from lodestar.errors import UsageError
from lodestar.guidance import Negative, guide


def test_pushes_away_from_the_negative_in_place_of_the_null(net, x, condition, at):
    other = condition[torch.tensor([3, 3, 3, 3])]
    g = guide("negative(3)", net, condition, kind="x0", named={"negative": other})
    assert torch.allclose(g(x, at(1.0)).x0, x / 2 + (3 * condition.value - 2 * 4).reshape(-1, 1, 1), atol=1e-5)
    assert net.passes == [[1, 2, 3, 4, 4, 4, 4, 4]]
    assert g.evaluations == 8


def test_one_negative_serves_all_samples(net, x, condition, at):
    g = guide("negative(3)", net, condition, kind="x0", named={"negative": condition[:1]})
    g(x, at(1.0))
    assert net.passes == [[1, 2, 3, 4, 1, 1, 1, 1]]


def test_a_negative_that_is_the_null_is_cfg(net, x, condition, at):
    a = guide("negative(3)", net, condition, kind="x0", named={"negative": condition.null()})(x, at(1.0))
    b = guide("cfg(3)", net, condition, kind="x0")(x, at(1.0))
    assert torch.equal(a.x0, b.x0)


def test_without_a_negative_it_says_how_to_pass_one(net, x, condition, at):
    with pytest.raises(UsageError, match="pass negative=") as e:
        guide(Negative(4), net, condition, kind="x0")(x, at(1.0))
    assert "\n" not in str(e.value)
    assert not net.passes


def test_scale_one_needs_no_negative(net, x, condition, at):
    g = guide(Negative(1), net, condition, kind="x0")
    g(x, at(1.0))
    assert net.passes == [[1, 2, 3, 4]]
