import math
from dataclasses import replace

import pytest
import torch

from lodestar.core import Level, Step
from lodestar.errors import UsageError
from lodestar.guidance import CFG, Interval, Negative, guide

RULE = Interval(CFG(4), lo=0.28, hi=5.4)


@pytest.mark.parametrize(
    ("ratio", "on"), [(0.1, False), (0.28, False), (0.2800001, True), (1.0, True), (5.4, True), (5.4001, False)]
)
def test_open_below_and_closed_above(net, x, condition, at, ratio, on):
    g = guide(RULE, net, condition, kind="x0")(x, at(ratio))
    other = guide("cfg(4)" if on else "cfg(1)", net, condition, kind="x0")(x, at(ratio))
    assert torch.equal(g.x0, other.x0)
    assert torch.equal(g.eps, other.eps)
    assert len(net.passes[0]) == len(net.passes[1]) == (8 if on else 4)


@pytest.mark.parametrize(("alpha", "on"), [(0.9, True), (0.05, False)])
def test_the_unit_is_sigma_over_alpha_in_every_process(alpha, on):
    a = torch.tensor(alpha, dtype=torch.float64)
    vp, flow = Level(a, (1 - a**2).sqrt(), -a, a), Level(a, 1 - a, -a, a)
    assert [bool(RULE.on(Step(level))) for level in (vp, flow)] == ([True, False] if on else [False, False])


def test_a_corrector_is_judged_by_its_own_level(net, x, condition, at):
    """The released code goes by the step: there its corrector would be guided as well."""
    g = guide(RULE, net, condition, kind="x0")
    g(x, replace(at(0.3), index=5))
    g(x, replace(at(0.2), index=5, part=1))
    assert [len(p) for p in net.passes] == [8, 4]


def test_outside_only_the_base_is_asked(at):
    assert set(RULE.asks(at(9.0))) == {"cond"}
    assert set(Interval(Negative(4)).asks(at(9.0))) == {"cond"}  # so the negative need not exist there
    assert set(RULE.asks(at(1.0))) == {"cond", "null"}


def test_outside_is_the_conditional_also_at_scale_zero(net, x, condition, at):
    g = guide(Interval(CFG(0), lo=0.28, hi=5.4), net, condition, kind="x0")
    g(x, at(9.0))
    g(x, at(1.0))
    assert net.passes == [[1, 2, 3, 4], [0, 0, 0, 0]]


def test_levels_of_each_sample_decide_for_each_sample(net, x, condition, at):
    ratios = (0.1, 1.0, 9.0, 5.4)
    g = guide(RULE, net, condition, kind="x0")
    p = g(x, at(*ratios))
    assert net.passes == [[1, 2, 3, 4, 0, 0]]
    assert g.evaluations == 6
    for i, ratio in enumerate(ratios):
        alone = guide(RULE, net, condition[i : i + 1], kind="x0")(x[i : i + 1], at(ratio))
        assert torch.equal(p.x0[i], alone.x0[0])
        assert torch.equal(p.eps[i], alone.eps[0])


def test_bounds_of_each_sample(net, x, condition, at):
    g = guide(Interval(CFG(4), lo=[0, 0, 2, 0], hi=[9, 0.5, 9, 1]), net, condition, kind="x0")
    g(x, at(1.0))
    assert net.passes == [[1, 2, 3, 4, 0, 0]]


def test_an_open_end_takes_in_pure_noise_and_an_empty_one_nothing(at):
    noise = Step(Level(*torch.tensor([0.0, 1, -1, 1], dtype=torch.float64)))
    assert Interval(CFG(), lo=0, hi=math.inf).on(noise)
    assert not RULE.on(noise)
    assert not Interval(CFG(), lo=1, hi=1).on(at(1.0))


@pytest.mark.parametrize(("lo", "hi"), [(2, 1), ([0, 2], 1), ([0, 2], [1, 1])])
def test_bounds_in_the_wrong_order(lo, hi):
    with pytest.raises(UsageError, match="lo must be at most hi"):
        Interval(CFG(4), lo=lo, hi=hi)


def test_intervals_nest(net, x, condition, at):
    g = guide("interval(interval(cfg(4), lo=0, hi=2), lo=1, hi=9)", net, condition, kind="x0")
    for ratio in (0.5, 1.5, 5.0):
        g(x, at(ratio))
    assert [len(p) for p in net.passes] == [4, 8, 4]
