from dataclasses import replace

import pytest
import torch

from asking import Classified, Elsewhere
from lodestar.core import Level, Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.guidance import ALL, CFG, Adaptive, Ask, Interval, Negative, Rule, View, guide, parse

FLOW = Level(*torch.tensor([0.5, 0.5, -1, 1], dtype=torch.float64))
X = torch.zeros(3, 1, 2, dtype=torch.float64)


def towards(degrees: float) -> torch.Tensor:
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()])[None]


def view(*degrees: float, x: torch.Tensor = X, **more: Prediction) -> View:
    """A conditional and, this far from it in x0, a null for each sample; in eps they are the same."""
    same = torch.ones_like(x)
    null = torch.stack([2 * towards(d) for d in degrees])
    return View(x, {"cond": Prediction(towards(0).expand_as(x), same), "null": Prediction(null, same), **more})


def drive(rule: Rule, *rows: tuple[float, ...]) -> list[list[bool]]:
    """Which samples are asked for the null, at steps where it is so many degrees away."""
    running, found = rule.begin(), []
    for index, degrees in enumerate(rows):
        at = Step(FLOW, index)
        ask = running.asks(at).get("null")
        asked = torch.tensor(False) if ask is None else torch.tensor(True) if ask.rows is None else ask.rows
        found.append(asked.expand(3).tolist())
        seen = view(*degrees)
        nothing = Prediction(0 * X, 0 * X)
        null = seen["null"] if asked.any() else nothing
        running(
            View(
                X,
                {
                    **seen.named,
                    "null": Prediction(
                        *(torch.where(asked.expand(3)[:, None, None], a, 0) for a in (null.x0, null.eps))
                    ),
                },
            ),
            at,
        )
    return found


RULE = Adaptive(CFG(4), threshold=0.9)  # 25.8 degrees


def test_each_sample_leaves_at_the_step_after_it_agrees_and_for_good():
    """The paper's case formula, with the crossing step itself guided."""
    found = drive(RULE, (60, 60, 60), (40, 20, 60), (20, 60, 60), (10, 60, 27), (10, 60, 25), (0, 0, 0))
    assert found == [
        [True, True, True],
        [True, True, True],
        [True, False, True],
        [False, False, True],
        [False, False, True],
        [False, False, False],
    ]


def test_a_threshold_for_each_sample_and_never_above_one():
    found = drive(Adaptive(CFG(4), threshold=[0.9, 0.99, 1.01]), (60, 60, 60), (20, 20, 20), (0, 0, 0), (0, 0, 0))
    assert found[2:] == [[False, True, True], [False, False, True]]


def test_who_has_never_been_apart_does_not_agree():
    """In pure noise all eps are the same: by the cosine of these nothing would ever be guided."""
    assert drive(RULE, (0, 0, 60), (0, 60, 0), (0, 0, 0), (0, 0, 0)) == [
        [True] * 3,
        [True] * 3,
        [True, True, False],
        [True, False, False],
    ]


def test_in_pure_noise_every_eps_is_x():
    at = Level(*torch.tensor([0.0, 1, -1, 1], dtype=torch.float64))
    x = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = (convert("flow", torch.randn(2, 3, dtype=torch.float64), x, at) for _ in range(2))
    assert torch.allclose(a.eps, x)
    assert torch.allclose(b.eps, x)
    assert not torch.allclose(a.x0, b.x0)


@pytest.mark.parametrize("space", ["x0", "eps", "v", "flow"])
def test_the_cosine_is_of_the_named_reading(space):
    generator = torch.Generator().manual_seed(0)
    cond, null = (Prediction(*torch.randn(2, 3, 2, 4, dtype=torch.float64, generator=generator)) for _ in range(2))
    found = Adaptive(CFG(4), space=space).cosine(View(0 * cond.x0, {"cond": cond, "null": null}), Step(FLOW))
    a, b = (p.reading(space, FLOW).flatten(1) for p in (cond, null))
    assert torch.allclose(found, torch.nn.functional.cosine_similarity(a, b))


def test_until_then_it_is_the_inner_rule_and_after_it_the_base_bit_for_bit():
    running, inner = RULE.begin(), CFG(4)
    for index, degrees in enumerate((60, 10)):
        seen = view(degrees, degrees, degrees)
        assert torch.equal(running(seen, Step(FLOW, index)).x0, inner(seen, Step(FLOW, index)).x0)
    assert torch.equal(running(seen, Step(FLOW, 2)).x0, seen["cond"].x0)


def test_a_corrector_is_guided_as_its_step_is():
    running = RULE.begin()
    for index, degrees in enumerate((60, 10)):
        running(view(degrees, degrees, degrees), Step(FLOW, index))
    assert "null" in running.asks(Step(FLOW, 1, part=1))
    assert "null" not in running.asks(Step(FLOW, 2))


def test_the_rule_itself_never_changes_and_trajectories_are_apart():
    before = hash(RULE)
    first = RULE.begin()
    for index, degrees in enumerate((60, 10)):
        first(view(degrees, degrees, degrees), Step(FLOW, index))
        RULE(view(degrees, degrees, degrees), Step(FLOW, index))
    assert "null" not in first.asks(Step(FLOW, 5))
    assert "null" in RULE.asks(Step(FLOW, 5))
    assert "null" in RULE.begin().asks(Step(FLOW, 5))
    assert RULE.past is None
    assert hash(RULE) == before


def test_rows_are_saved_in_the_network(net, x, condition, at):
    """The recorder's x0 is x / 2 + c: far from x / 2 where x is small, near it where x is large."""
    g = guide(Adaptive(CFG(4), threshold=0.9), net, condition, kind="x0").begin()
    for index, size in enumerate((0.1, 100, 100)):
        g(size * x, replace(at(1.0), index=index))
    assert [len(p) for p in net.passes] == [8, 8, 4]
    assert g.evaluations == 20


class Three(CFG):
    """Against two predictions."""

    def asks(self, at):
        return {**super().asks(at), "other": Ask(replace="other")}


def test_all_that_the_inner_rule_compares_has_to_agree():
    far, near = (Prediction(torch.stack([towards(d)] * 3), torch.ones_like(X)) for d in (60, 10))
    for last, stays in ((far, True), (near, False)):
        running = Adaptive(Three(4), threshold=0.9).begin()
        for index, other in enumerate((far, last)):
            degrees = (60, 10)[index]
            running(view(degrees, degrees, degrees, other=other), Step(FLOW, index))
        assert ("null" in running.asks(Step(FLOW, 2))) == stays


def test_a_negative_is_compared_as_the_null_is():
    running = Adaptive(Negative(4), threshold=0.9).begin()
    for index, degrees in enumerate((60, 10)):
        named = view(degrees, degrees, degrees).named
        running(View(X, {"cond": named["cond"], "negative": named["null"]}), Step(FLOW, index))
    assert set(running.asks(Step(FLOW, 2))) == {"cond"}


def test_who_is_not_asked_says_nothing():
    """Outside of an interval the null reads as 0: that is neither far nor near."""
    bounds = [2, 2, 0.5]
    found = drive(
        Interval(Adaptive(CFG([4, 1, 4]), threshold=0.9), lo=0, hi=bounds), (60, 60, 60), (10, 10, 10), (0, 0, 0)
    )
    assert found == [[True, False, False], [True, False, False], [False, False, False]]
    running = Interval(RULE, lo=0, hi=bounds).begin()
    running(view(0, 0, 0), Step(FLOW, 0))
    assert running.inner.past[0].tolist() == [False] * 3


def test_a_rule_that_asks_for_gradients_never_agrees():
    running = Adaptive(Classified()).begin()
    assert running.cosine(View(X, {"null": view(0, 0, 0)["null"]}), Step(FLOW)).isnan()
    assert Ask(drop=ALL) in running.asks(Step(FLOW, 3)).values()


def test_nothing_is_asked_for_the_sake_of_comparing():
    running = Adaptive(Elsewhere(4)).begin()
    assert set(running.asks(Step(FLOW))) == {"cond", "null"}
    for index, degrees in enumerate((60, 0, 0)):
        running(view(degrees, degrees, degrees), Step(FLOW, index))
    assert set(running.asks(Step(FLOW, 3))) == {"cond", "null"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adaptive(cfg, threshold=-2)", "threshold must lie in [-1, inf], got -2"),
        ("adaptive(cfg, threshold=nan)", "threshold must lie in [-1, inf], got nan"),
        ('adaptive(cfg, space="x")', "unknown space 'x': did you mean 'x0'?"),
        ("adaptive(cfg, space=3)", "unknown space '3': there are eps, flow, v, x0"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(UsageError) as e:
        parse(text)
    assert str(e.value) == message
