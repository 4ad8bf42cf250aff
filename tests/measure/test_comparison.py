"""Equal evaluations, tuning on other seeds, and what is apart from cfg."""

from functools import cache

import pytest

from bowl import Bowl
from lodestar.errors import UsageError
from lodestar.guidance import parse
from lodestar.measure.asked import Asked
from lodestar.measure.bench import Bench
from lodestar.measure.candidates import Candidate, candidate, candidates
from lodestar.measure.comparison import Chosen, Entry, compare, entries, fitted, halving, rounds
from lodestar.measure.goal import Goal
from lodestar.measure.points import Points
from lodestar.measure.scales import scale_of
from lodestar.measure.setting import Setting
from tiny import tiny

FD = Goal("FD")


def rows(per_step):
    """One picture's network evaluations where each step costs so many."""
    return lambda setting: float(round(per_step * setting.steps))


@pytest.mark.parametrize(("per_step", "steps"), [(2, 20), (1, 40), (3, 13), (1.5, 27), (40, 1)])
def test_steps_are_those_that_cost_as_much_as_the_budget(per_step, steps):
    assert fitted(Setting("cfg(3)"), 40, rows(per_step)).steps == steps


def test_a_rule_that_acts_in_an_interval_alone_gets_the_steps_that_it_saves():
    def inside_alone(setting):
        return float(setting.steps + len(range(0, setting.steps, 3)))

    found = fitted(Setting("cfg(3)"), 40, inside_alone)
    assert abs(inside_alone(found) - 40) <= 1


def test_what_the_model_cannot_follow_is_left_out_with_the_reason():
    def refuses(setting):
        if "auto" in setting.guidance:
            raise UsageError("needs a network named 'weak'")
        return 2.0 * setting.steps

    asked = [candidate("cfg"), candidate("auto")]
    found, out = entries(asked, Setting(sampler="ddim"), 40, refuses)
    assert [entry.name for entry in found] == ["cfg"]
    assert found[0].settings[0] == Setting("cfg(1.5)", "ddim", 20)
    assert out == {"auto": "needs a network named 'weak'"}


def test_a_model_that_cannot_follow_cfg_has_nothing_to_compare():
    def refuses(setting):
        raise UsageError("is unconditional")

    with pytest.raises(UsageError, match="is unconditional"):
        entries([candidate("cfg")], Setting(), 40, refuses)


def settings(*scales):
    return tuple(Setting(f"cfg({scale})", steps=20) for scale in scales)


@pytest.fixture
def files(tmp_path):
    return cache(lambda n: Points.open(tmp_path / f"{n}.jsonl", {"n": n}))


def quiet(what, setting, n):
    return {}


def test_halving_finds_the_best_and_asks_a_third_again(files):
    bench = Bowl(best=3)
    choose = halving(bench, 200, FD, files, quiet)
    assert choose("cfg", settings(1.5, 2, 3, 4, 6, 8)).setting == Setting("cfg(3)", steps=20)
    assert [n for _, n in bench.asked] == [50] * 6 + [200] * 2
    assert {key.split(" ")[1] for key, n in bench.asked if n == 200} <= {"cfg(3)", "cfg(2)", "cfg(4)"}
    assert rounds(Entry("cfg", settings(1.5, 2, 3, 4, 6, 8)), 200) == [50] * 6 + [200] * 2


def test_one_setting_needs_no_choice_and_of_three_one_goes_on_alone(files):
    bench = Bowl(best=3)
    choose = halving(bench, 200, FD, files, quiet)
    assert choose("none", settings(1)) == Chosen(settings(1)[0])
    assert bench.asked == []
    assert choose("some", settings(2, 3, 4)) == Chosen(settings(3)[0])
    assert [n for _, n in bench.asked] == [50] * 3
    assert rounds(Entry("some", settings(2, 3, 4)), 200) == [50] * 3
    assert rounds(Entry("none", settings(1)), 200) == []


def test_the_aim_is_an_option(files):
    choose = halving(Bowl(best=3), 200, Goal("prompt accuracy"), files, quiet)
    assert choose("cfg", settings(1.5, 3, 8)) == Chosen(settings(8)[0])


def test_tuning_that_was_killed_goes_on(files):
    chosen = halving(Bowl(best=3), 200, FD, files, quiet)("cfg", settings(1.5, 3, 4, 8))
    bench = Bowl(best=3)
    assert halving(bench, 200, FD, files, quiet)("cfg", settings(1.5, 3, 4, 8)) == chosen
    assert bench.asked == []


def test_too_few_samples_to_tune_with_are_refused(files):
    with pytest.raises(UsageError, match="--tune-n must be at least 80"):
        halving(Bowl(), 79, FD, files, quiet)


def compared(tmp_path, bench, choose):
    asked = [Entry("none", settings(1)), Entry("cfg", settings(2, 3)), Entry("strong", settings(4, 8))]
    return list(compare(bench, asked, choose, Points.open(tmp_path / "c.jsonl", {}), quiet))


def strongest(name, settings):
    return Chosen(max(settings, key=lambda s: scale_of(parse(s.guidance))))


def test_every_rule_is_apart_from_cfg_as_the_truth_is(tmp_path):
    bench = Bowl(best=3)
    found = compared(tmp_path, bench, strongest)
    assert [s.name for s in found] == ["cfg", "none", "strong"]
    assert found[0].apart == {}
    assert found[1].apart["FD"].value == pytest.approx(4)
    assert found[2].apart["FD"].value == pytest.approx(25)
    assert found[2].apart["saturation"].value == pytest.approx(0.5)
    assert [s.tried for s in found] == [2, 1, 2]
    assert [n for _, n in bench.asked] == [None] * 3
    told = found[2].to_json()
    assert told["apart"]["FD"]["verdict"] == "worse"
    assert found[2].found.facts["compared"] == "strong"
    assert found[2].text == "cfg(8)"


def test_a_rule_of_which_a_step_costs_too_much_is_left_out():
    found, out = entries([Candidate("two", ("cfg(3)",))], Setting(), 1, rows(2))
    assert found == []
    assert out == {"two": "a single step costs 2 evaluations, and 1 are allowed"}


def test_what_tuning_does_not_tell_apart_is_said(files):
    choose = halving(Bowl(best=3), 200, FD, files, quiet)
    assert choose("cfg", settings(2, 4, 6, 8)) == Chosen(settings(2)[0], (settings(4)[0],))  # as far from 3


def test_of_cfg_what_could_as_well_have_been_chosen_is_measured_too(tmp_path):
    def unsure(name, settings):
        return Chosen(settings[0], tuple(settings[1:]))

    found = compared(tmp_path, Bowl(best=3), unsure)
    assert [(s.name, s.text) for s in found] == [
        ("cfg", "cfg(2) or cfg(3)"),
        ("cfg, as likely", "cfg(3)"),
        ("none", "cfg(1)"),
        ("strong", "cfg(4) or cfg(8)"),
    ]
    assert found[1].apart["FD"].value == pytest.approx(-1)
    assert found[3].to_json()["alike"] == ["cfg(8)"]


def test_a_comparison_that_was_killed_goes_on(tmp_path):
    found = compared(tmp_path, Bowl(), strongest)
    bench = Bowl()
    assert compared(tmp_path, bench, strongest) == found
    assert bench.asked == []


def test_a_rule_that_costs_less_at_scale_1_has_more_steps_there():
    def less_at_1(setting):
        return setting.steps * (2.0 if "cfg(1)" in setting.guidance else 3.0)

    one = Candidate("pag", ("pag(cfg(2.5), strength=1)", "pag(cfg(1), strength=1)"))
    [found], _ = entries([one], Setting(), 12, less_at_1)
    assert [setting.steps for setting in found.settings] == [4, 6]


def test_a_candidate_keeps_its_order():
    found, _ = entries([Candidate("two", ("cfg(3)", "cfg(2)"))], Setting(), 10, rows(2))
    assert [(s.guidance, s.steps) for s in found[0].settings] == [("cfg(3)", 5), ("cfg(2)", 5)]


def test_all_rules_run_on_a_model_or_say_why_not():
    bench = Bench(tiny(), None, None, Asked(("a red circle",), "given"))
    found, out = entries(candidates(), Setting(sampler="ddim", grid="u"), 4, bench.rows)
    assert {"none", "cfg", "apg", "interval", "pag", "rescale", "tsg"} <= {entry.name for entry in found}
    assert "needs a network named 'weak'" in out["auto"]
    assert "needs the head 'inner'" in out["internal"]
    assert "gradient named 'clip'" in out["clip"]
    assert {e.name: e.settings[0].steps for e in found[:2]} == {"none": 4, "cfg": 2}
