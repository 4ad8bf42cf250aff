import pytest
import torch

from asking import Elsewhere
from lodestar.errors import UsageError
from lodestar.guidance import CFG, Interval, guide, parse, take
from lodestar.guidance.rules.several.plus import Plus
from lodestar.guidance.rules.subtract.auto import Auto
from lodestar.guidance.rules.subtract.classes import Classes


def weak(x, level, condition):
    """Says 7 more than the network does, and says it of every condition."""
    return x / 2 + condition.value.reshape(-1, 1, 1) + 7


def test_what_each_adds_to_its_base_is_added_up(net, x, condition, at):
    """cond + (s - 1) (cond - null) + (w - 1) (cond - weak)."""
    g = guide(Plus(CFG(4), Auto(2)), net, condition, kind="x0", nets={"weak": weak})
    expected = condition.value + 3 * condition.value + 1 * -7
    assert torch.allclose(g(x, at(1.0)).x0, x / 2 + expected.reshape(-1, 1, 1), atol=1e-5)
    assert g.evaluations == 12


def test_what_the_second_adds_is_to_its_own_base(net, x, condition, at):
    g = guide(Plus(CFG(4), Elsewhere(3)), net, condition, kind="x0", named={"user": condition[2:3]})
    expected = 4 * condition.value + 3 * condition.value - condition.value[2]
    assert torch.allclose(g(x, at(1.0)).x0, x / 2 + expected.reshape(-1, 1, 1), atol=1e-5)


def test_one_that_adds_nothing_leaves_the_other_as_it_is(net, x, condition, at):
    for rule in (Plus(CFG(4), CFG(1)), Plus(CFG(4), Interval(CFG(9), lo=2, hi=5))):
        p = guide(rule, net, condition, kind="x0")(x, at(1.0))
        assert torch.equal(p.x0, guide("cfg(4)", net, condition, kind="x0")(x, at(1.0)).x0)
    assert [len(p) for p in net.passes] == [8] * 4


def test_two_of_one_kind_add_up(net, x, condition, at):
    both = guide("plus(cfg(4), cfg(3))", net, condition, kind="x0")(x, at(1.0))
    one = guide("cfg(6)", net, condition, kind="x0")(x, at(1.0))
    assert torch.allclose(both.x0, one.x0, atol=1e-5)
    assert [len(p) for p in net.passes] == [8, 8]


def test_both_begin_and_both_are_cut():
    running = Plus(Classes(), Classes()).begin()
    assert running.inner.past == running.other.past == []
    assert take(Plus(CFG([1, 2]), CFG([3, 4])), [1]) == Plus(CFG([2]), CFG([4]))


def test_the_second_must_be_a_rule_as_well():
    assert parse("plus(cfg(4), cfg(2))") == Plus(CFG(4), CFG(2))
    with pytest.raises(UsageError, match="other must be a rule such as"):
        parse("plus(cfg(4), 2)")
