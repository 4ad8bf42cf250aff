"""What guidance gains: every rule on the same prompts and seeds, those left out that the model cannot follow."""

import json
import sys

import pytest
import torch

from benchmarks.gain import RULES, Score, affordable, asked_nets, lines, main, possible, score, sign_test
from lodestar.guidance import parse
from tiny import INNER, tiny

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of words and lengths that the tiny model does not know
WEAK = tiny(shape=(3, 16, 16), name="young")


def model(**changes):
    return tiny(**{"shape": (3, 16, 16), "card": {"steps": 2, "guidance": "cfg(3)"}, **changes})


def scored(guidance, seen, held_out):
    return Score(guidance, 20, 40.0, 0.5, seen, held_out)


def test_the_rules_can_be_read_and_a_model_with_everything_can_follow_them_all():
    assert all(str(parse(rule)) for rule in RULES)
    asked = possible(model(config=INNER), RULES, {"weak": WEAK})
    refused = {rule: why for rule, why in asked if why}
    assert {*refused} == {rule for rule in RULES if "slg" in rule}
    assert all("has transformer blocks 0 to 0" in why for why in refused.values())  # and these leave out the second


def test_what_a_model_cannot_follow_is_said():
    why = dict(possible(model(), ["cfg(2)", "auto(2)", "internal(2)"], {}))
    assert why["cfg(2)"] == ""
    assert "--net weak=FOLDER" in why["auto(2)"]
    assert "has not" in why["internal(2)"]


@pytest.mark.parametrize("at", [1.1, 1.5, 1e9])
def test_what_is_asked_in_a_part_of_the_noise_alone_is_looked_for_there(at):
    """Pure noise, where the first step is, lies outside."""
    rules = [f"interval({rule}, lo=.4, hi={at})" for rule in ("internal(2)", "auto(2)")]
    why = dict(possible(model(card={"steps": 4}), rules, {}))
    assert "has not" in why[rules[0]]
    assert "--net weak=FOLDER" in why[rules[1]]


def test_a_rule_is_given_the_networks_that_it_asks_for():
    nets = {"weak": WEAK}
    assert asked_nets(model(), "plus(cfg(2), auto(2))", nets) == nets
    assert asked_nets(model(), "cfg(2)", nets) == {}


@pytest.mark.parametrize(
    ("rule", "steps"), [("cfg(1)", 12), ("cfg(2)", 6), ("plus(cfg(2), auto(2))", 4), ("auto(2)", 6)]
)
def test_steps_are_as_many_as_the_evaluations_pay_for(rule, steps):
    assert affordable(model(), rule, asked_nets(model(), rule, {"weak": WEAK}), 12) == steps
    assert affordable(model(), rule, asked_nets(model(), rule, {"weak": WEAK}), 1) == 1


def test_no_step_is_left_over_that_could_be_paid_for():
    """A rule in an interval costs the less a step the more of its steps are outside: not in proportion."""
    some = model(card={"steps": 2})
    steps = affordable(some, rule := "interval(cfg(2), lo=.9, hi=1.1)", {}, 12)
    cost = [some.sample("a red circle", guidance=rule, steps=n).evaluations for n in (steps, steps + 1)]
    assert cost[0] <= 12 < cost[1]


def test_a_score_is_the_readers_of_one_picture_of_each_prompt(monkeypatch):
    seen = []

    def truth(images, prompts):
        seen.append((images, prompts))
        return [None if i % 3 else "colour" for i in range(len(prompts))]

    monkeypatch.setattr("benchmarks.gain.prompt_truth", truth)
    found = score(model(), "auto(2)", {"weak": WEAK}, 2, 4, 3)
    assert (found.guidance, found.steps, found.evaluations) == ("auto(2)", 2, 4)
    assert found.seen == found.held_out == [False, True, True, False]
    asked = seen[0][1]
    again = model().sample(asked, guidance="auto(2)", nets={"weak": WEAK}, seed=range(4))
    assert torch.equal(seen[0][0], again.images)
    assert found.describe()["seen"] == 0.5


def test_rules_are_compared_picture_by_picture():
    first, other = scored("a", [True, False, False], [True]), scored("b", [False, True, True], [True])
    assert other.against(first) == (2, 1)
    assert first.against(first) == (0, 0)
    text = lines([first, other])
    assert text[2].startswith("| a | 20 | 40 | 33.3% (6.1% to 79.2%) | 100.0% (20.7% to 100.0%) | | |")
    assert text[3].endswith("| 2 : 1 | 1 |")


@pytest.mark.parametrize(("better", "worse", "p"), [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 2 / 32), (1, 9, 22 / 1024)])
def test_the_sign_test_is_exact(better, worse, p):
    assert sign_test(better, worse) == sign_test(worse, better) == pytest.approx(p)


def test_the_command(tmp_path, monkeypatch, capsys):
    model().save(tmp_path / "m")
    WEAK.save(tmp_path / "weak")
    out = tmp_path / "out.json"
    args = [str(tmp_path / "m"), "--net", f"weak={tmp_path / 'weak'}", "--n", "2", "--json", str(out)]
    monkeypatch.setattr("benchmarks.gain.RULES", ("cfg(1)", "auto(2)", "internal(2)"))
    monkeypatch.setattr(sys, "argv", ["gain", *args, "--evaluations", "4"])
    main()
    said = capsys.readouterr().out
    assert "left out: guidance internal(2) needs the head 'inner'" in said
    rows = json.loads(out.read_text())
    assert [(r["guidance"], r["steps"], r["evaluations"]) for r in rows] == [
        ("cfg(3)", 2, 4),
        ("cfg(1)", 4, 4),
        ("auto(2)", 2, 4),
    ]
    monkeypatch.setattr(sys, "argv", ["gain", *args, "--guidance", "internal(2)"])
    with pytest.raises(SystemExit):
        main()
    assert "needs the head 'inner'" in capsys.readouterr().err
