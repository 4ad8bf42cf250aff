"""`lodestar rules NAME`: every rule's own file says all that is to be told of it."""

import json
import re

import pytest

import lodestar
from lodestar.cli import main
from lodestar.cli.entry import comment, labelled, needs, sentence, takes
from lodestar.errors import UsageError
from lodestar.guidance import CFG, RULES, Wrapper, parse
from lodestar.guidance.fields import values


@pytest.fixture
def told(capsys, tmp_path):
    """What is printed of a rule, and what is written."""

    def run(name):
        assert main(["rules", name, "--json", str(tmp_path / "rule.json")]) == 0
        text = (tmp_path / "rule.json").read_text()
        return capsys.readouterr().out, json.loads(text, parse_constant=pytest.fail)["rule"]

    return run


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_is_told_whole(name, told):
    out, found = told(name)
    shown = " ".join(out.split())
    for fact in ("about", "source", "space", "cost"):
        assert len(found[fact]) > 2
        assert found[fact] in shown
    assert all(f"arxiv.org/abs/{number}" in out for number in found["arxiv"])
    assert found["arxiv"] or re.search(r"no paper|Ours", found["source"])
    assert found["text"] in out
    assert found["needs"]
    assert isinstance(parse(found["example"]), RULES[name])
    assert f"--guidance '{found['example']}'" in shown
    for p in found["parameters"]:
        assert p["takes"]
        assert f"{p['name']} {p['shown']}".strip() in shown


def test_an_entry_has_the_paper_the_equation_and_what_it_costs(told):
    out, found = told("rescale")
    assert found["source"] == "Lin et al. 2023, arXiv:2305.08891, sec. 3.4, eq. 14-16."
    assert (found["arxiv"], found["equation"]) == (["2305.08891"], ["sec. 3.4", "eq. 14-16"])
    assert found["space"].startswith("v, as in the paper")
    assert found["cost"] == "that of the rule inside, and the conditional's row where it asks for none"
    assert "phi        0.7      [0, 1]  how much of it; the paper's" in out
    assert found["parameters"][1] == {
        "name": "phi", "default": 0.7, "shown": "0.7", "takes": "[0, 1]", "about": "how much of it; the paper's",
    }  # fmt: skip
    assert found["example"] == "rescale(cfg(4), phi=0.7)"
    assert out.startswith("rescale(inner, phi=0.7)\n")


def test_an_example_asks_for_layers_that_the_shipped_model_has(told):
    rule, model = parse(told("slg")[1]["example"]), lodestar.load("scenes-32")
    for hook in rule.hooks():
        assert model.hooked(hook)
    with pytest.raises(UsageError):
        model.hooked("skip(7)")


def test_a_neutral_value_is_told_as_it_is_typed(told):
    out, found = told("threshold")
    assert "lo=-inf, hi=inf" in out
    assert found["neutral"] == {"lo": "-inf", "hi": "inf"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cfg", ["a null"]),
        ("cfg(1)", []),
        ("negative", ["a condition named 'negative'"]),
        ("auto", ["another network, named 'weak'"]),
        ("internal", ["a network with a head 'inner'"]),
        ("pag(cfg(1))", ["a network with the hook 'pag'"]),
        ("slg(cfg(4), layers=3)", ["a null", "a network with the hook 'skip(3)'"]),
        ("tsg", ["the network's process"]),
        ("classifier(cfg(1))", ["a function named 'classifier', whose gradient is taken"]),
        ("energy(cfg(1), colour)", ["a network that can be differentiated", "a function named 'colour'"]),
        ("edit", ["a joint condition, of a model trained without its text", "a null"]),
        ("interval(cfg(1))", []),
    ],
)
def test_what_a_rule_needs_of_a_model_is_read_off_its_asks(text, words):
    found = needs(parse(text))
    assert len(found) == len(words)
    assert all(line.startswith(word) for line, word in zip(found, words, strict=True))


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("auto", "(--net weak=...)"),
        ("negative", "(--negative)"),
        ("under(cfg(1))", "(--named other=...)"),
        ("internal", "(lodestar train --network.inner 1)"),
        ("classifier(cfg(1))", "(--gradient classifier=...)"),
        ("clip(cfg(1))", "(--gradient clip=...)"),
        ("energy(cfg(1), colour)", "{'colour': ...}"),  # of a function, which no command line has
    ],
)
def test_the_option_that_gives_it_is_told(text, option):
    assert needs(parse(text))[-1].endswith(option)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_range_is_of_a_field_and_holds_its_default(name):
    cls = RULES[name]
    rule = cls(*([CFG(1)] if issubclass(cls, Wrapper) else []))
    for field, (least, most) in getattr(cls, "ranges", {}).items():
        assert takes(cls, field) in (f"[{least:g}, {most:g}]", f"a whole number from {least:g}")
        assert least <= values(getattr(rule, field)) <= most


def test_sentences():
    text = "First. Its name\nis it, eq. 3. Space: x0, by Hall et al. in sec. 2, all of it equal. scale 1: none."
    text += "\n\nCost 2. More."
    assert sentence(text, "Its") == "Its name is it, eq. 3"
    assert labelled(text, "Space") == "x0, by Hall et al. in sec. 2, all of it equal"
    assert labelled(text, "Cost") == "2"
    assert labelled(text, "More or less") == ""


def test_a_comment_is_found_where_the_field_is_declared():
    assert comment(RULES["auto"], "scale") == "the authors' for EDM2-S on ImageNet-512, by FID"
    assert comment(RULES["negative"], "scale") == comment(RULES["negative"].__base__, "scale") == "ours, as for cfg"
    assert comment(RULES["tilt"], "scale") == comment(CFG, "scale")
    assert comment(RULES["compose"], "weight") == comment(RULES["perpneg"], "weight") == "ours, the scale of cfg"
    assert comment(RULES["pag"], "strength") == comment(RULES["seg"], "strength") != ""
    assert comment(RULES["pag"], "inner") == ""


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_unknown_rule_is_answered_with_the_nearest(capsys, more):
    assert main(["rules", "recsale", *more]) == 2
    assert capsys.readouterr() == ("", "lodestar: error: unknown rule 'recsale': did you mean 'rescale'?\n")
