import pytest
import torch

from lodestar.core import Prediction, Step
from lodestar.errors import UsageError
from lodestar.guidance import CFG, View, guide, parse, take
from lodestar.guidance.rules.several.mask import Mask
from lodestar.guidance.rules.several.region import Region
from lodestar.process import Flow

X = torch.zeros(2, 3, 4, 8)
HALFWAY = Step(Flow().level(torch.tensor(0.5)))


def mask(grid, x=X):
    return Mask(CFG(), grid=grid).mask(x)


def test_a_cell_for_each_pixel_is_the_mask_itself():
    shares = torch.rand(4, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(mask(shares)[0, 0], shares.double())
    assert torch.equal(mask(shares > 0.5)[0, 0], (shares > 0.5).double())
    assert mask(shares).shape == (1, 1, 4, 8)


@pytest.mark.parametrize(("height", "width"), [(4, 8), (5, 7), (1, 2), (32, 33)])
def test_a_pixel_is_in_the_cell_where_its_middle_is(height, width):
    grid = [[0, 0.25, 1], [0.5, 0.75, 0.1]]
    found = mask(grid, torch.zeros(1, 1, height, width))[0, 0]
    for i in range(height):
        for j in range(width):
            assert found[i, j] == grid[int((i + 0.5) / height * 2)][int((j + 0.5) / width * 3)]


def test_a_box_of_cells_is_a_region():
    assert torch.equal(mask([[0, 0, 0, 0], [0, 1, 1, 0]]), Region(CFG(), left=0.25, right=0.75, top=0.5).mask(X))
    assert torch.equal(Mask(CFG()).mask(X), Region(CFG()).mask(X))


def test_inside_is_one_rule_outside_the_other_bit_for_bit_and_between_them_their_mean():
    c, n = (Prediction(*torch.randn(2, 2, 3, 4, 8)) for _ in range(2))
    view, at = View(X, {"cond": c, "null": n}), Step(None)  # type: ignore[arg-type]
    found = Mask(CFG(4), CFG(-2), [[0, 0.25, 1, 1]])(view, at)
    outside, inside = CFG(4)(view, at), CFG(-2)(view, at)
    for name in ("x0", "eps"):
        each, one, other = (getattr(p, name) for p in (found, outside, inside))
        assert torch.equal(each[..., :2], one[..., :2])
        assert torch.equal(each[..., 4:], other[..., 4:])
        assert torch.allclose(each[..., 2:4], 0.75 * one[..., 2:4] + 0.25 * other[..., 2:4], atol=1e-5)


def test_another_prompt_where_the_mask_is(net, condition, at):
    """MultiDiffusion's weighted mean of what two prompts say of one x."""
    x = torch.randn(4, 4, 8)
    rule = Mask(CFG(3), parse("under(cfg(2), a)"), [[1, 0], [0.5, 0]])
    g = guide(rule, net, condition, kind="x0", named={"a": condition[3:]})
    said, plain = g(x, at(1.0)).x0 - x / 2, 3 * condition.value.reshape(-1, 1, 1)
    assert torch.allclose(said[:, :2, :4], torch.tensor(2 * 4.0), atol=1e-5)
    assert torch.allclose(said[:, 2:, :4], (2 * 4.0 + plain) / 2 * torch.ones(2, 4), atol=1e-5)
    assert torch.allclose(said[..., 4:], plain * torch.ones(4, 4), atol=1e-5)
    assert g.evaluations == 12


def test_a_mask_for_each_sample():
    masks = torch.tensor([[[0.0, 1]], [[0.5, 0.1]]])
    rule = Mask(CFG(), grid=masks)
    assert rule == Mask(CFG(), grid=[[[0, 0.5], [1, 0.1]]])
    assert torch.equal(rule.mask(X)[1], Mask(CFG(), grid=masks[1]).mask(X)[0])
    assert take(rule, [1]) == Mask(CFG(), grid=[[[0.5], [0.1]]])
    mixed = Mask(CFG(), grid=[[1, [0, 0.5]], [0.25, 0]]).mask(X)
    assert torch.equal(mixed[0, 0, ::2, ::4], torch.tensor([[1, 0], [0.25, 0]]).double())
    assert torch.equal(mixed[1, 0, ::2, ::4], torch.tensor([[1, 0.5], [0.25, 0]]).double())
    with pytest.raises(UsageError, match="grid has 3 values for a batch of 2"):
        guide(Mask(CFG(1), CFG(1), [[[0, 1, 1], 1]]), lambda x, level, c: x, kind="x0")(X, HALFWAY)


def test_its_rows_are_printed_and_read():
    rule = Mask(CFG(4), grid=torch.tensor([[0.7, 0], [1, 0.3]]))
    assert str(rule) == "mask(cfg(4), inside=cfg(4), grid=[[0.7, 0], [1, 0.3]])"
    assert parse(str(rule)) == rule
    assert hash(parse(str(rule))) == hash(rule)


@pytest.mark.parametrize("grid", [[], [[]], [1, 0], [[1, 0], [1]], [[1], []], "ab", 1, torch.ones(2), torch.ones(0, 2)])
def test_what_is_no_grid(grid):
    with pytest.raises(UsageError, match=r"^grid must be rows of as many numbers, .* such as \[\[1, 0\]\], got ") as e:
        Mask(CFG(), grid=grid)
    assert len(str(e.value).splitlines()) == 1


def test_shares_lie_between_none_and_all_and_are_of_pictures():
    with pytest.raises(UsageError, match=r"grid must lie in \[0, 1\], got 1\.5"):
        Mask(CFG(), grid=[[0, 1.5]])
    with pytest.raises(UsageError, match=r"a mask is of pictures \[B, ..., H, W\], and x is \[2, 5\]"):
        Mask(CFG()).mask(torch.zeros(2, 5))
