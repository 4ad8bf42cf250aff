import pytest
import torch

from asking import Elsewhere
from lodestar.core import Prediction, Step
from lodestar.errors import UsageError
from lodestar.guidance import CFG, Cached, Interval, View, guide
from lodestar.guidance.rules.several.region import Region
from lodestar.guidance.rules.several.under import Under

X = torch.zeros(2, 3, 4, 8)


def box(x=X, **bounds):
    return Region(CFG(), **bounds).mask(x)


def test_a_box_is_in_shares_of_the_picture():
    mask = box(left=0.25, right=0.75, top=0.5, bottom=1)
    expected = torch.zeros(4, 8)
    expected[2:, 2:6] = 1
    assert mask.shape == (1, 1, 4, 8)
    assert torch.equal(mask[0, 0], expected.double())


def test_a_pixel_is_where_its_middle_is():
    assert box(right=0.4375)[0, 0, 0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]  # 3.5 of 8, the middle of the fourth
    assert box(right=0.4376)[0, 0, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("edge", [0.1, 0.3, 0.5, 2 / 3])
def test_two_boxes_side_by_side_take_every_pixel_once(edge):
    for low, high in (("left", "right"), ("top", "bottom")):
        first, second = box(**{"right": 1, high: edge}), box(**{"right": 1, low: edge})
        assert torch.equal(first + second, torch.ones(1, 1, 4, 8).double())


def test_each_sample_may_have_its_own_box():
    mask = box(left=[0, 0.5], right=[0.5, 1])
    assert mask.shape == (2, 1, 4, 8)
    assert torch.equal(mask[0], 1 - mask[1])


def test_inside_is_one_rule_and_outside_the_other_bit_for_bit():
    c, n = (Prediction(*torch.randn(2, 2, 3, 4, 8)) for _ in range(2))
    view, at = View(X, {"cond": c, "null": n}), Step(None)  # type: ignore[arg-type]
    found = Region(CFG(4), CFG(-2), left=0.5, right=1)(view, at)
    outside, inside = CFG(4)(view, at), CFG(-2)(view, at)
    for name in ("x0", "eps"):
        assert torch.equal(getattr(found, name)[..., 4:], getattr(inside, name)[..., 4:])
        assert torch.equal(getattr(found, name)[..., :4], getattr(outside, name)[..., :4])


def test_a_prompt_for_each_region(net, condition, at):
    """MultiDiffusion's mean over masks that do not overlap, of predictions at one x."""
    x = torch.randn(4, 4, 8)
    text = "region(region(cfg(3), inside=under(cfg(2), a)), inside=under(cfg(1), b), top=.5)"
    named = {"a": condition[torch.tensor([3])], "b": condition[torch.tensor([1])]}
    g = guide(text, net, condition, kind="x0", named=named)
    said = g(x, at(1.0)).x0 - x / 2
    assert torch.allclose(said[:, :, 4:], (3 * condition.value).reshape(-1, 1, 1).expand(4, 4, 4), atol=1e-5)
    assert torch.allclose(said[:, :2, :4], torch.tensor(2 * 4.0), atol=1e-5)
    assert torch.allclose(said[:, 2:, :4], torch.tensor(2.0), atol=1e-5)
    assert g.evaluations == 16


def test_outside_of_an_interval_each_side_has_its_own_base(net, condition, at):
    x = torch.randn(4, 4, 8)
    rule = 'interval(region(cfg(3), inside=under(cfg(2), "a")), lo=0, hi=1)'
    g = guide(rule, net, condition, kind="x0", named={"a": condition[3:]})
    assert torch.allclose(g(x, at(5.0)).x0, x / 2 + condition.value.reshape(-1, 1, 1), atol=1e-5)


def test_each_part_falls_back_to_the_base_of_its_own_rule(net, condition, at):
    x = torch.randn(4, 4, 8)
    rule, named = Interval(Region(CFG(3), Elsewhere(3)), lo=0, hi=1), {"user": condition[2:3]}
    g = guide(rule, net, condition, kind="x0", named=named)
    said = g(x, at(5.0)).x0 - x / 2
    assert torch.allclose(said[..., :4], torch.tensor(3.0), atol=1e-5)
    assert torch.allclose(said[..., 4:], condition.value.reshape(-1, 1, 1).expand(4, 4, 4), atol=1e-5)
    assert net.passes == [[1, 2, 3, 4, 3, 3, 3, 3]]


def test_both_begin():
    running = Region(Cached(CFG(4)), Cached(CFG(2))).begin()
    assert running.inner.past == running.inside.past == []


def test_what_is_no_picture_and_what_is_no_box():
    with pytest.raises(UsageError, match=r"a region is of pictures \[B, ..., H, W\], and x is \[2, 5\]"):
        box(torch.zeros(2, 5))
    with pytest.raises(UsageError, match=r"left must be at most right, got left=0\.6 and right=0\.5"):
        box(left=0.6)
    with pytest.raises(UsageError, match=r"bottom must lie in \[0, 1\], got 2"):
        box(bottom=2)
    with pytest.raises(UsageError, match="inside must be a rule"):
        Region(CFG(), inside="a star")
    assert Region(CFG(), Under(CFG(), "a")).inside.name == "a"
