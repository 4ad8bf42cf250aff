from dataclasses import dataclass

import torch

from asking import Elsewhere
from lodestar.conditions import Joint, Label
from lodestar.core import Step
from lodestar.guidance import CFG, Ask, Interval, Negative, Rule, View, guide
from lodestar.guidance.rules.several.edit import Edit
from lodestar.guidance.rules.several.under import Under
from lodestar.guidance.rules.subtract.auto import Auto


def test_a_rule_under_another_condition_is_that_rule_with_it(net, x, condition, at):
    other = condition[torch.tensor([3, 2, 1, 0])]
    for rule in (CFG(3), CFG(0), CFG([0, 1, 2, 3]), Auto(3)):
        nets = {"weak": net}
        found = guide(Under(rule, "b"), net, condition, kind="x0", named={"b": other}, nets=nets)(x, at(1.0))
        assert torch.equal(found.x0, guide(rule, net, other, kind="x0", nets=nets)(x, at(1.0)).x0)


def test_it_costs_what_the_rule_costs_and_the_null_is_shared(net, x, condition, at):
    named = {"other": condition[torch.tensor([3])]}
    guide("under(cfg(3))", net, condition, kind="x0", named=named)(x, at(1.0))
    guide("plus(cfg(3), under(cfg(3)))", net, condition, kind="x0", named=named)(x, at(1.0))
    assert sorted(net.passes[0]) == [0] * 4 + [4] * 4
    assert sorted(net.passes[1]) == [0] * 4 + [1, 2, 3, 4, 4, 4, 4, 4]


def test_where_it_does_not_act_the_users_own_condition_is_meant(net, x, condition, at):
    g = guide("interval(under(cfg(3)), lo=0, hi=1)", net, condition, kind="x0", named={"other": condition[3:]})
    g(x, at(0.5))
    g(x, at(5.0))
    assert sorted(net.passes[0]) == [0] * 4 + [4] * 4
    assert net.passes[1] == [1, 2, 3, 4]


def test_what_is_asked_by_another_name_stays(net, x, condition, at):
    named = {"a": condition[:1], "negative": condition[1:2]}
    guide(Under(Negative(3), "a"), net, condition, kind="x0", named=named)(x, at(1.0))
    guide(Under(Under(CFG(1), "a"), "negative"), net, condition, kind="x0", named=named)(x, at(1.0))
    assert sorted(net.passes[0]) == [1] * 4 + [2] * 4
    assert net.passes[1] == [1] * 4


def test_a_part_that_is_dropped_is_dropped_of_the_other(x, at):
    """The instruction is another one, and the image the same."""
    condition = Joint({"text": Label(torch.tensor([1, 2, 3, 4])), "image": Label(torch.tensor([5, 6, 7, 8]))})
    passes = []

    def network(x, level, c):
        passes.append([c.parts[name].index.tolist() for name in ("text", "image")])
        return x

    named = {"b": Joint({"text": Label(torch.tensor([9]))})}
    guide(Under(Edit(3, 2), "b"), network, condition, kind="x0", named=named)(x, at(1.0))
    text, image = passes[0]
    assert text == [9] * 4 + [-1] * 8
    assert image == [5, 6, 7, 8] * 2 + [-1] * 4


@dataclass(frozen=True)
class Pulling(Rule):
    """Reads a derivative and a gradient by its own names."""

    def asks(self, at: Step):
        return {"cond": Ask(grad=True), "log p": Ask(gradient="density")}

    def __call__(self, view: View, at: Step):
        return view["cond"] * 0 + type(view["cond"])(view.pull("cond", view.x) + view.gradient("log p"), view.x)


def test_derivatives_and_gradients_are_of_the_other_condition_too(net, x, condition, at):
    def density(x, level, c):
        return (x * c.value.reshape(-1, 1, 1)).flatten(1).sum(1)

    def squared(x, level, c):
        return x * c.value.reshape(-1, 1, 1)

    bound = {"kind": "x0", "named": {"b": condition[3:]}, "gradients": {"density": density}}
    found = guide(Under(Pulling(), "b"), squared, condition, **bound)(x, at(1.0))
    assert torch.allclose(found.x0, 4 * x + 4)


def test_its_base_is_the_users_own_condition_whatever_the_inner_rules_is(net, x, condition, at):
    named = {"a": condition[3:], "user": condition[2:3]}
    g = guide(Interval(Under(Elsewhere(3), "a"), lo=0, hi=1), net, condition, kind="x0", named=named)
    assert torch.allclose(g(x, at(5.0)).x0, x / 2 + condition.value.reshape(-1, 1, 1), atol=1e-5)
    assert net.passes == [[1, 2, 3, 4]]
