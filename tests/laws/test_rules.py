"""Every registered rule, and every wrapper around every rule, under the laws of `rule_laws.py`.

A rule that a law does not fit says so in its class attribute `exempt`, with the reason. A failure that is not declared
is a bug, and so is a declared one that passes.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import ClassVar

import pytest
import torch
from rule_laws import LAWS, B, examples

from asking import SMALLEST
from lodestar.core import Prediction, Step
from lodestar.guidance import CFG, RULES, Ask, Interval, PerSample, Rule, View, Wrapper

LATER, AT_FIRST = "cond_equal_to_null_changes_nothing", "cond_equal_to_null_changes_nothing_at_first"


def hold(rule: Rule, name: str) -> None:
    """The rule obeys the law, or says why not and then does not."""
    if name not in exempt(rule):
        return LAWS[name](rule)
    try:
        LAWS[name](rule)
    except AssertionError:
        return None
    raise AssertionError(f"{rule} is declared exempt from {name}, and obeys it")


def exempt(rule: object) -> dict[str, str]:
    """The laws that it does not fit, each with the reason; a wrapper those too that what is inside does not fit.

    What changes something without guidance does so in the first step too.
    """
    own = {**exempt(getattr(rule, "inner", None)), **getattr(rule, "exempt", {})} if rule is not None else {}
    return {AT_FIRST: own[LATER], **own} if LATER in own else own


def at_once(rule: Rule) -> bool:
    """Whether it is tried every time, for all together take minutes: every rule is, and every wrapper around cfg, which
    has no state, around apg, which has, and around an interval, which asks nothing at times."""
    inner = getattr(rule, "inner", None)
    return not isinstance(rule, Wrapper) or type(inner).__name__ in ("CFG", "APG", "Interval")


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(
    "rule", [pytest.param(r, marks=() if at_once(r) else pytest.mark.slow, id=str(r)) for r in examples()]
)
def test_law(rule: Rule, name: str) -> None:
    hold(rule, name)


@pytest.mark.parametrize("name", sorted(LAWS.keys() - {"prints_what_parse_reads"}))  # for those that are registered
@pytest.mark.parametrize("rule", [*SMALLEST, *map(Interval, SMALLEST)], ids=lambda r: repr(r)[:40])
def test_law_of_every_kind_of_ask(rule: Rule, name: str) -> None:
    test_law(rule, name)


@pytest.mark.parametrize("name", RULES)
def test_exemptions_name_a_law_and_a_reason(name: str) -> None:
    for broken, reason in exempt(RULES[name]).items():
        assert broken in LAWS
        assert len(reason) > 10


@pytest.mark.parametrize("name", RULES)
def test_rule_has_what_the_laws_need(name: str) -> None:
    """Defaults for every field but a wrapper's inner rule, and a neutral value, unless exempt."""
    cls = RULES[name]
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]  # type: ignore
    assert required == (["inner"] if issubclass(cls, Wrapper) else [])
    assert issubclass(cls, Wrapper) or hasattr(cls, "neutral") or "neutral_is_the_base_exactly" in exempt(cls)
    assert cls.__doc__
    assert "(" not in cls.__doc__.splitlines()[0]


# The laws can fail: one broken rule for each.


@dataclass(frozen=True)
class Broken(CFG):
    """CFG with its result spoilt."""

    def __call__(self, view: View, at: Step) -> Prediction:
        return self.spoil(super().__call__(view, at), view, at)

    def spoil(self, p: Prediction, view: View, at: Step) -> Prediction:
        return p


class Shapeless(Broken):
    def spoil(self, p, view, at):
        return p[:1]


class Floorless(Broken):
    """Divides by how far cond and null are apart."""

    def spoil(self, p, view, at):
        apart = (view["cond"].x0 - view["null"].x0).flatten(1).norm(dim=1)
        return p * (apart / apart)


class Leaky(Broken):
    def spoil(self, p, view, at):
        return Prediction(p.x0 + p.x0.mean(), p.eps)


class Louder(Broken):
    def spoil(self, p, view, at):
        return 1.01 * p


class Starting(Broken):
    """Louder in the first step."""

    def spoil(self, p, view, at):
        return p if at.index else 1.01 * p


class Random(Broken):
    def spoil(self, p, view, at):
        return Prediction(p.x0 + torch.randn(p.x0.shape), p.eps)


@dataclass(frozen=True)
class Fickle(Broken):
    """Asks for the null every other time that it is asked."""

    seen: ClassVar[list[int]] = [0]

    def asks(self, at):
        self.seen[0] += 1
        return {"cond": Ask(), "null": Ask(drop=True, rows=torch.tensor(self.seen[0] % 2 == 0))}


@dataclass(frozen=True)
class Remembering(Broken):
    past: list = field(default_factory=list, compare=False, hash=False)

    def spoil(self, p, view, at):
        self.past.append(1)
        return len(self.past) * p


class Shared(Broken):
    def spoil(self, p, view, at):
        mean = sum(self.scale) / B if isinstance(self.scale, PerSample) else self.scale
        return p + (mean - 4) * (view["cond"] - view["null"])


class OneLevel(Broken):
    def spoil(self, p, view, at):
        return p + float(at.level.alpha.max()) * (view["cond"] - view["null"])


class InFlow(Broken):
    def spoil(self, p, view, at):
        return Prediction(p.x0, p.eps * (1 + 1e-3))


class OfKind(Broken):
    """Louder on a network that puts out eps, known by its conversion: x0 is (x - sigma eps) / alpha to the last bit."""

    def spoil(self, p, view, at):
        a, cond = at.level.like(view.x), view["cond"]
        return 1.01 * p if torch.equal(cond.x0, (view.x - a.sigma * cond.eps) / a.alpha) else p


class Mute(Broken):
    def __str__(self):
        return "cfg(5)"


BROKEN: dict[str, Rule] = {
    "shape_dtype_finite": Shapeless(),
    "finite_at_every_strength_and_both_ends_of_the_noise": Floorless(),
    "no_leak_across_the_batch": Leaky(),
    "cond_equal_to_null_changes_nothing": Louder(),
    "cond_equal_to_null_changes_nothing_at_first": Starting(),
    "neutral_is_the_base_exactly": Louder(),
    "network_rows_are_counted": Fickle(),
    "deterministic": Random(),
    "starts_afresh": Remembering(),
    "per_sample_values_equal_the_loop": Shared(),
    "per_sample_levels_equal_the_loop": OneLevel(),
    "same_for_every_kind_of_network": OfKind(),
    "consistent_with_x": InFlow(),
    "prints_what_parse_reads": Mute(),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_broken_rule_is_found(name: str) -> None:
    with pytest.raises(AssertionError):
        hold(BROKEN[name], name)


class Jumping(Broken):
    def spoil(self, p, view, at):
        return p if self.scale == 1 else 1.01 * p


class Wasteful(Broken):
    def asks(self, at):
        return {"cond": Ask(), "null": Ask(drop=True)}


@pytest.mark.parametrize("rule", [Jumping(), Wasteful()], ids=lambda r: type(r).__name__)
def test_a_rule_that_jumps_at_its_neutral_value_or_pays_there_is_found(rule: Rule) -> None:
    with pytest.raises(AssertionError):
        hold(rule, "neutral_is_the_base_exactly")


@pytest.mark.parametrize("name", ["deterministic", "starts_afresh", "no_leak_across_the_batch", "consistent_with_x"])
def test_a_rule_that_is_broken_for_one_kind_of_network_is_so_for_no_other_reason(name: str) -> None:
    hold(BROKEN["same_for_every_kind_of_network"], name)


def test_what_starts_otherwise_is_found_by_no_law_but_that_of_the_start() -> None:
    hold(Starting(), LATER)


def test_a_wrapper_around_what_is_exempt_is_too_and_then_may_not_obey() -> None:
    @dataclass(frozen=True)
    class Declared(CFG):
        exempt: ClassVar = {"deterministic": "not true"}

    with pytest.raises(AssertionError, match="is declared exempt from deterministic"):
        test_law(Interval(Declared()), "deterministic")


def test_a_declared_failure_passes_and_a_declared_pass_fails() -> None:
    @dataclass(frozen=True)
    class Declared(Louder):
        exempt: ClassVar = {"consistent_with_x": "louder by design", "deterministic": "not true"}

    hold(Declared(), "consistent_with_x")
    with pytest.raises(AssertionError, match="is declared exempt from deterministic"):
        hold(Declared(), "deterministic")
    with pytest.raises(AssertionError):
        hold(Declared(), "cond_equal_to_null_changes_nothing")
