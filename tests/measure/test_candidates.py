"""Which rules are compared, and at which strengths."""

import pytest

from lodestar.errors import UsageError
from lodestar.guidance import RULES, parse
from lodestar.measure.candidates import LEFT_OUT, STRENGTHS, candidate, candidates


def test_every_registered_rule_is_compared_or_left_out_for_a_reason():
    names = [one.name for one in candidates()]
    assert names[:2] == ["none", "cfg"]
    assert sorted([*names[1:], *LEFT_OUT]) == sorted(RULES)


@pytest.mark.parametrize("one", candidates(), ids=lambda one: one.name)
def test_each_is_tried_at_different_strengths(one):
    assert 1 <= len(one.rules) <= 10
    assert len(set(one.rules)) == len(one.rules)
    assert [str(parse(text)) for text in one.rules] == list(one.rules)


def test_strengths_are_read_off_the_fields():
    assert candidate("tcfg").rules == tuple(f"tcfg({scale})" for scale in STRENGTHS["scale"])
    assert candidate("cfgpp").rules == tuple(f"cfgpp({mix})" for mix in STRENGTHS["mix"])
    assert candidate("rescale").rules[:2] == ("rescale(cfg(1.5), phi=0.35)", "rescale(cfg(1.5), phi=0.7)")
    assert candidate("threshold").rules[0] == "threshold(cfg(1.5), lo=-1, hi=1)"


def test_papers_have_their_own_ranges():
    assert candidate("internal").rules[0] == "internal(1.1)"
    assert candidate("FDG").rules[0] == "fdg([1, 3])"


@pytest.mark.parametrize("name", ["pag", "seg", "slg"])
def test_what_perturbs_the_network_is_tried_alone_and_at_its_papers_strength(name):
    assert str(parse(f"{name}(cfg(1), strength=3)")) in candidate(name).rules
    assert any("cfg(2.5)" in rule for rule in candidate(name).rules)


def test_what_is_written_out_is_tried_at_the_scales_of_cfg_or_as_it_is():
    found = candidate("rescale(cfg, phi=.5)")
    assert found.name == "rescale(cfg, phi=0.5)"
    assert found.rules == tuple(f"rescale(cfg({scale}), phi=0.5)" for scale in STRENGTHS["scale"])
    assert candidate("cfgpp(.3)").rules == ("cfgpp(0.3)",)


def test_what_is_named_twice_is_compared_once():
    assert [one.name for one in candidates(["cfg", "apg", "apg"])] == ["none", "cfg", "apg"]


def test_what_is_no_rule_is_refused():
    with pytest.raises(UsageError, match="did you mean 'cfg'"):
        candidates(["cgf"])
