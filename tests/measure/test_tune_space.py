"""What can be tuned of a rule is read off its fields; what is written stays."""

import pytest

from lodestar.errors import UsageError
from lodestar.guidance import RULES, Wrapper, parse
from lodestar.measure.setting import Setting
from lodestar.measure.tune import Family, Space
from lodestar.process import Flow, levels

BASE = Setting(sampler="ddim", steps=10, grid="u")


def of(text: str, steps: tuple[int, ...] = ()) -> tuple[Family, Space]:
    space = Space.of([text], Flow(), BASE, steps)
    return space.families[0], space


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cfg", ["scale"]),
        ("cfg(3)", []),
        ("interval", ["scale", "begin", "span"]),
        ("interval(cfg(3))", ["begin", "span"]),
        ("interval(cfg, lo=0.2)", ["scale"]),
        ("schedule", ["scale", "shape"]),
        ("schedule(cfg, cosine())", ["scale"]),
        ("rescale(apg)", ["scale"]),
        ("cfgpp", ["mix"]),
        ("pag(cfg)", ["scale", "strength"]),
        ("plus(cfg, auto)", ["scale", "scale#2"]),
        ("edit", ["text", "image"]),
    ],
)
def test_what_is_open(text, names):
    family, space = of(text)
    assert [o.name for o in family.open] == names
    for i in range(4):
        parse(str(space.setting(family.start(i, 5)).guidance))


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_can_be_searched(name):
    family, space = of(f"{name}(cfg)" if issubclass(RULES[name], Wrapper) else name)
    texts = {str(space.setting(family.start(i, 5)).guidance) for i in range(5)}
    assert len(texts) == (5 if family.open else 1)


def test_an_interval_guides_some_of_the_steps_and_only_those():
    family, space = of("interval(cfg(3))")
    visited = [float(at.noise_to_signal) for at in levels(Flow(), 10)][:-1]
    seen = set()
    for begin in (0.0, 0.34, 0.99):
        for span in (0.0, 0.5, 1.0):
            rule = parse(str(space.setting({"guidance": family.text, "begin": begin, "span": span}).guidance))
            seen.add(tuple(rule.lo < s <= rule.hi for s in visited))
    whole = [i for i, inside in enumerate(zip(*seen, strict=True)) if any(inside)]
    assert whole == list(range(10))
    assert all(any(inside) for inside in seen)
    assert (True,) * 10 in seen
    assert (False,) * 9 + (True,) in seen


def test_steps_are_open_where_several_are_given():
    family, space = of("cfg", (5, 10))
    assert {space.setting(family.start(i, 5)).steps for i in range(5)} == {5, 10}


def test_what_is_no_rule_is_refused():
    with pytest.raises(UsageError, match="unknown rule 'cgf'"):
        of("cgf")
