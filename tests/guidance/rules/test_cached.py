from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import Kind, Level, Prediction, Step, convert
from lodestar.guidance import CFG, Cached, Interval, Rescale, Rule, View, Wrapper, guide, parse, take
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine, Flow, Process, levels
from lodestar.samplers.ddim import ddim
from lodestar.samplers.heun import heun

ORACLE = GaussianMixture.random(2, 3, torch.Generator().manual_seed(1))
LABELS = Label(torch.arange(60) % 3)
START = torch.randn(60, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@dataclass(frozen=True)
class Kept(Wrapper):
    """What is cached, written down again: the reading of this kind, with what it was more than the base's, kept."""

    every: int
    kind: Kind
    past: dict[str, Tensor] = field(default_factory=dict, compare=False)

    def asks(self, at: Step):
        return self.inner.asks(at)

    def __call__(self, view: View, at: Step) -> Prediction:
        base, guided = (p.reading(self.kind, at.level) for p in (self.base(view), self.inner(view, at)))
        if at.index % self.every == 0:
            self.past["d"] = guided - base
            return self.inner(view, at)
        return convert(self.kind, base + self.past["d"], view.x, at.level)


def sampled(rule: Rule, process: Process, steps: int = 12) -> Tensor:
    return ddim(guide(rule, ORACLE, LABELS), START, levels(process, steps))


@pytest.mark.parametrize("process", [Cosine(), Flow()], ids=str)
@pytest.mark.parametrize("every", [2, 3])
def test_it_is_the_velocity_that_is_kept(process, every):
    assert torch.allclose(sampled(Cached(CFG(3), every), process), sampled(Kept(CFG(3), every, "flow"), process))


@pytest.mark.parametrize("process", [Cosine(), Flow()], ids=str)
@pytest.mark.parametrize("every", [2, 4])
def test_kept_in_the_velocity_it_is_nearest_to_full_guidance(process, every):
    full = sampled(CFG(3), process, 20)
    rules = [Cached(CFG(3), every), Kept(CFG(3), every, "eps"), Kept(CFG(3), every, "x0")]
    velocity, eps, x0 = (float((sampled(r, process, 20) - full).norm(dim=1).mean()) for r in rules)
    assert 1.3 * velocity < eps < 3.5 * velocity
    assert 1.7 * velocity < x0 < 5 * velocity


def test_the_null_is_evaluated_on_every_other_step_only():
    for every, rows in ((1, 24), (2, 18), (3, 16), (12, 13)):
        g = guide(Cached(CFG(3), every), ORACLE, LABELS)
        ddim(g, START, levels(Cosine(), 12))
        assert g.evaluations == 60 * rows


def test_every_step_is_the_inner_rule_bit_for_bit():
    assert torch.equal(sampled(Cached(CFG(3), 1), Cosine()), sampled(CFG(3), Cosine()))


def test_without_guidance_it_is_the_base_bit_for_bit():
    assert torch.equal(sampled(Cached(CFG(1)), Cosine()), sampled(CFG(1), Cosine()))


def test_the_rule_itself_never_changes(net, x, condition, at):
    """Only what begin() returns remembers; a second trajectory starts afresh."""
    rule = Cached(CFG(4))
    before = hash(rule)
    g = guide(rule, net, condition, kind="x0")
    for _ in range(2):
        running = g.begin()
        found = [running(x, replace(at(1.0), index=i)) for i in (1, 2, 3)]
        assert [len(p) for p in net.passes[-3:]] == [8, 8, 4]  # the first that a trajectory sees is evaluated
        assert torch.allclose(found[1].x0, found[2].x0, atol=1e-6)
    assert rule == Cached(CFG(4))
    assert rule.past is None
    assert hash(rule) == before


def test_a_corrector_does_as_its_predictor():
    g = guide(Cached(CFG(3)), ORACLE, LABELS)
    heun(g, START, levels(Flow(), 4))
    whole = guide(CFG(3), ORACLE, LABELS)
    heun(whole, START, levels(Flow(), 4))
    parts = [2, 1, 2, 1]  # evaluations a step: the first, from alpha = 0, and the last are not corrected
    assert whole.evaluations == 60 * 2 * sum([1, 2, 2, 1])
    assert g.evaluations == 60 * sum(p * c for p, c in zip(parts, [1, 2, 2, 1], strict=True))


def test_between_the_prediction_is_of_the_same_x():
    running = Cached(Rescale(CFG(7.5))).begin()
    for i, u in enumerate((0.8, 0.7)):
        at = Step(Flow().level(torch.tensor(u, dtype=torch.float64)), index=i)
        p = guide(CFG(1), ORACLE, LABELS)(START, at)
        null = ORACLE(START, at.level)
        found, a = running(View(START, {"cond": p, "null": null}), at), at.level
        assert torch.allclose(a.alpha * found.x0 + a.sigma * found.eps, START)


def each(level: Level, i: int) -> Level:
    return Level(*(f[i : i + 1] for f in (level.alpha, level.sigma, level.d_alpha, level.d_sigma)))


@pytest.mark.parametrize("text", [
    "interval(cached(cfg([2, 3, 4]), every=3), lo=.3, hi=[9, 2, 1])",
    "cached(interval(cfg([2, 3, 4]), lo=.3, hi=[9, 2, 1]), every=3)",
    "cached(adaptive(cfg(3), threshold=.9), every=2)",
    "adaptive(cached(cfg(3), every=2), threshold=.9)",
])  # fmt: skip
def test_a_trajectory_of_each_sample_is_its_own(text):
    """Other neighbours at other levels: also where an interval begins for one at a step that is not evaluated."""
    rule, x = parse(text), START[:3]
    u = torch.linspace(0.95, 0.1, 8, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.9, 0.8], dtype=torch.float64)
    steps = [Step(Flow().level(row), i, 8) for i, row in enumerate(u)]
    together = guide(rule, ORACLE, LABELS[torch.arange(3)]).begin()
    found = [together(x, at) for at in steps]
    rows = 0
    for i in range(3):
        alone = guide(take(rule, [i]), ORACLE, LABELS[torch.tensor([i])]).begin()
        for at, p in zip(steps, found, strict=True):
            assert torch.allclose(alone(x[i : i + 1], replace(at, level=each(at.level, i))).x0[0], p.x0[i])
        rows += alone.evaluations
    assert together.evaluations == rows


def test_an_interval_around_it_begins_at_once_and_one_inside_at_the_next_evaluated_step():
    u = [0.9, 0.5, 0.4, 0.3]
    for rule, expected in (
        (Interval(Cached(CFG(3)), hi=2), [1, 2, 2, 1]),
        (Cached(Interval(CFG(3), hi=2)), [1, 1, 2, 1]),
    ):
        running = guide(rule, ORACLE, LABELS).begin()
        rows = []
        for i, at in enumerate(u):
            before = running.evaluations
            running(START, Step(Flow().level(torch.tensor(at, dtype=torch.float64)), i))
            rows.append((running.evaluations - before) // 60)
        assert rows == expected


def test_who_stands_still_has_nothing_to_keep():
    process, labels = Flow(), LABELS
    told = guide(parse("cached(cfgzero(4, zero_steps=1), every=4)"), ORACLE, labels)
    plain = guide(parse("cfgzero(4, zero_steps=1)"), ORACLE, labels)
    at = levels(process, 8)[2]
    for index in range(2):
        found, inner = (g(START, Step(at, index, 8)) for g in (told, plain))
        assert torch.equal(found.x0, inner.x0)  # the step after standing still is evaluated, whatever every is
    assert not torch.equal(told(START, Step(at, 2, 8)).x0, told(START, Step(at, 0, 8)).x0)


def test_some_stand_still_and_some_do_not():
    rule = parse("cached(cfgzero(4, zero_steps=[0, 2]), every=4)")
    both = guide(rule, ORACLE, LABELS[torch.tensor([0, 1])])
    at = levels(Flow(), 8)[2]
    for index in range(4):
        found = both(START[:2], Step(at, index, 8))
        for i, steps in enumerate((0, 2)):
            alone = guide(parse(f"cached(cfgzero(4, zero_steps={steps}), every=4)"), ORACLE, LABELS[torch.tensor([i])])
            for before in range(index + 1):
                one = alone(START[i : i + 1], Step(at, before, 8))
            assert torch.allclose(found.x0[i], one.x0[0])
