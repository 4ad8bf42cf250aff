"""`tune` on a bench that is made up: it finds the bottom of a bowl, keeps bounds, and goes on where it was killed."""

import re
from dataclasses import replace
from math import log

import pytest
from valley import Valley, scale

from lodestar.errors import UsageError
from lodestar.measure.goal import Goal
from lodestar.measure.points import Points
from lodestar.measure.setting import Setting
from lodestar.measure.tune import Search, Space, check_price, confirmed, imported
from lodestar.process import Flow

BASE = Setting(sampler="ddim", steps=20, grid="u")


def search(path, bench, *rules, goal="FD", where=(), within=None, steps=(), protocol=None):
    sides = (None, goal) if goal == "prompt accuracy" else (goal, None)
    return Search(
        bench.growing,
        Goal.of(*sides, where, within),
        Space.of(rules or ["cfg"], Flow(), BASE, steps),
        Points.open(path / "trials.jsonl", protocol or {"seed": bench.seed}),
        bench.n,
        rows=bench.rows,
    )


@pytest.mark.parametrize("best", [1.7, 2.6, 4.0, 7.3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bottom_of_a_bowl_is_found_with_a_quarter_of_a_grids_samples(tmp_path, best, seed):
    bench = Valley(best, seed)
    found = search(tmp_path, bench)
    found.run(9)
    [chosen] = found.best()
    assert bench.fd(chosen.setting) < 10 + 4 + 1 + 0.02 * 15, chosen.setting
    assert bench.samples <= 40 * bench.n / 4
    assert sum(e.facts["given_up"] for e in found.points) >= 1


def test_trials_have_the_facts_that_a_plot_needs(tmp_path):
    one, *_ = search(tmp_path / "one", Valley()).run(3)
    assert {k: one.facts[k] for k in ("rule", "scale", "w")} == {"rule": "cfg", "scale": 3.87, "w": 2.87}
    assert "scattered" not in one.facts
    several, *_ = search(tmp_path / "several", Valley(), "interval").run(3)
    assert several.facts["rule"] == "interval"
    assert several.facts["scale"] == scale(several.setting)
    assert several.facts["scattered"]
    lo, hi = several.facts["interval"]
    assert f"lo={lo:g}" in several.setting.guidance
    assert hi is None or f"hi={hi:g}" in several.setting.guidance


def test_a_setting_that_is_surely_worse_is_given_up_after_a_quarter(tmp_path):
    bench = Valley()
    trials = search(tmp_path, bench).run(9)
    lost = [e for e in trials if e.facts["given_up"]]
    assert {e.samples for e in lost} <= {100, 200}
    assert all(bench.fd(e.setting) > 15.5 for e in lost)
    assert all(e.samples == 400 for e in trials if not e.facts["given_up"])


def test_a_bound_that_cuts_the_optimum_off_is_kept(tmp_path):
    bench = Valley(best=2.0, own=0.05)
    found = search(tmp_path, bench, where=["prompt accuracy >= 0.9"])
    found.run(12)
    [chosen] = found.best()
    assert chosen["prompt accuracy"].value >= 0.9
    assert 5.0 < scale(chosen.setting) < 6.3  # 5.38 without noise
    assert found.goal.missed(chosen) == ""


def test_the_bound_can_be_the_upper_one(tmp_path):
    found = search(tmp_path, Valley(best=8.0, own=0.05), where=["saturation <= 0.4"])
    found.run(12)
    assert 3.2 < scale(found.best()[0].setting) < 4.6  # 4 without noise


@pytest.mark.parametrize("seed", range(5))
def test_a_bound_on_what_few_samples_tell_wrongly_gives_nothing_up_that_keeps_it(tmp_path, seed):
    bench = Valley(best=3.0, seed=seed)  # of 100 samples FD is 6 above that of 400
    found = search(tmp_path, bench, goal="prompt accuracy", where=["FD <= 18"])
    assert any(e.facts["given_up"] for e in found.run(12))
    [chosen] = found.best()
    assert 3.2 < scale(chosen.setting) < 5.5  # 4.51 without noise
    assert found.goal.missed(chosen) == ""


@pytest.mark.parametrize("seed", range(4))
def test_among_what_is_confirmed_some_keep_their_bounds_with_something_to_spare(tmp_path, seed):
    bench = Valley(best=2.0, seed=seed, unsure=0.3)
    found = search(tmp_path, bench, where=["prompt accuracy >= 0.9"])
    found.run(12)
    spare = [found.goal.spare(e) for e in found.best(3)]
    assert spare[0] >= 0
    assert max(spare) >= 2
    assert Goal("FD").spare(found.best()[0]) == float("inf")


def test_a_bound_that_nothing_keeps_says_what_was_nearest(tmp_path):
    found = search(tmp_path, Valley(), where=["prompt accuracy >= 1.2"])
    found.run(6)
    with pytest.raises(UsageError, match=r"no setting reaches the lowest FD with prompt accuracy >= 1\.2: the nearest"):
        found.best()


def test_several_rules_and_numbers_go_by_optuna(tmp_path):
    bench = Valley(best=3.0)
    found = search(tmp_path, bench, "cfg", "interval")
    trials = found.run(40)
    assert len({e.setting.key for e in trials}) == 40  # none is measured twice
    [chosen] = found.best()
    assert chosen.setting.guidance.startswith("interval(cfg(")
    assert bench.fd(chosen.setting) < 12.6  # 11 at best; plain cfg reaches 15


def test_steps_are_searched_where_several_are_given(tmp_path):
    found = search(tmp_path, Valley(), steps=(5, 10, 40))
    trials = found.run(16)
    assert {e.setting.steps for e in trials} == {5, 10, 40}
    assert found.best()[0].setting.steps == 40
    inside = search(tmp_path / "within", Valley(), steps=(5, 10, 40), within=20)
    trials = inside.run(16)
    assert all(e.samples == 0 for e in trials if e.evaluations > 20)  # dear ones are not drawn at all
    assert inside.best()[0].setting.steps == 10


def test_what_costs_too_much_whatever_the_setting_is_said_at_once(tmp_path):
    bench = Valley()
    with pytest.raises(UsageError, match=r"within 30 evaluations is too few .* the cheapest setting takes 40"):
        check_price(Space.of(["cfg"], Flow(), BASE), Goal("FD", within=30), bench.rows)


def keys(trials):
    return [(e.setting.key, e.samples) for e in trials]


@pytest.mark.parametrize("rules", [("cfg",), ("cfg", "interval")], ids=" ".join)
@pytest.mark.parametrize("cut", [0.3, 0.71, 0.98])
def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path, rules, cut):
    whole = keys(search(tmp_path / "whole", Valley(), *rules).run(14))
    (tmp_path / "killed").mkdir()
    data = (tmp_path / "whole" / "trials.jsonl").read_bytes()
    half = data[: int(len(data) * cut)]
    (tmp_path / "killed" / "trials.jsonl").write_bytes(half)
    finished = half.count(b"\n") - 1
    bench = Valley()
    with pytest.warns(UserWarning, match="half a line"):
        resumed = search(tmp_path / "killed", bench, *rules)
    assert keys(resumed.run(14)) == whole
    assert len(bench.drawn) == len(whole) - finished  # what was finished is not drawn again


def test_another_protocol_is_refused(tmp_path):
    search(tmp_path, Valley()).run(3)
    with pytest.raises(UsageError, match="was measured otherwise: seed 0 and now 1"):
        search(tmp_path, Valley(), protocol={"seed": 1})


@pytest.mark.parametrize("best", [0.9, 4.0])
def test_what_trials_are_left_look_around_the_next_best(tmp_path, best):
    found = search(tmp_path, Valley(best))
    trials = found.run(12)
    assert len(trials) == 12
    late = [abs(log(scale(e.setting) / max(best, 1))) for e in trials[6:]]
    assert max(late) < 1, "and not anywhere"


def test_a_search_ends_where_there_is_nothing_left(tmp_path):
    assert len(search(tmp_path, Valley(), "cfg(3)").run(9)) == 1


def test_fewer_trials_than_rules_are_refused(tmp_path):
    with pytest.raises(UsageError, match="1 trials for 2 rules"):
        search(tmp_path, Valley(), "cfg", "interval").run(1)


def test_a_metric_that_is_not_measured_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'recall' was not measured"):
        Search(
            Valley().growing,
            Goal("recall"),
            Space.of(["cfg"], Flow(), BASE),
            Points.open(tmp_path / "p.jsonl", {}),
            400,
        ).run(2)


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'lodestar-diffusion[tune]'")):
        imported()


def test_along_one_number_a_parabola_ends_nearer_than_optuna(tmp_path, monkeypatch):
    def off(name):
        far = []
        for seed in range(6):
            bench = Valley(best=4.0, seed=seed)
            found = search(tmp_path / f"{name} {seed}", bench)
            found.run(9)
            far.append(bench.fd(found.best()[0].setting) - 15)
        return sum(far) / len(far)

    parabola = off("parabola")
    monkeypatch.setattr(Search, "_refined", Search._sampled)
    assert parabola < 0.5 * off("optuna")


def test_a_rule_alone_needs_no_optuna(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    assert len(search(tmp_path, Valley()).run(7)) >= 5


# On fresh seeds.


def test_fresh_seeds_decide_between_the_candidates(tmp_path):
    found = search(tmp_path, Valley(seed=0))
    found.run(9)
    fresh = Valley(seed=1)
    seen = confirmed(fresh, found.goal, [e.setting for e in found.best(3)], replace(BASE, guidance="cfg(1)"))
    assert len(fresh.drawn) == 4
    values = [e["FD"].value for e in seen.found]
    assert seen.best["FD"].value == min(values)
    assert seen.improves
    assert seen.sure
    assert seen.gain.low > 0
    told = seen.to_json()
    assert told["best"]["guidance"] == seen.best.setting.guidance
    assert told["goal"] == "the lowest FD"


def test_a_default_that_is_as_good_stays(tmp_path):
    fresh, goal = Valley(), Goal("FD")
    seen = confirmed(fresh, goal, [replace(BASE, guidance="cfg(8)")], replace(BASE, guidance="cfg(4)"))
    assert not seen.improves
    assert not seen.sure
    assert seen.gain.value < 0


def test_candidates_that_lose_their_bounds_are_no_result(tmp_path):
    goal = Goal.of("FD", None, ["prompt accuracy >= 0.9"])
    seen = confirmed(Valley(), goal, [replace(BASE, guidance="cfg(2)"), replace(BASE, guidance="cfg(3)")])
    with pytest.raises(UsageError, match=r"on fresh seeds no candidate kept its bounds: the nearest was cfg\(3\)"):
        _ = seen.best


def test_what_was_confirmed_is_not_drawn_again(tmp_path):
    settings = [replace(BASE, guidance="cfg(4)")]
    confirmed(Valley(), Goal("FD"), settings, points=Points.open(tmp_path / "fresh.jsonl", {}))
    again = Valley()
    confirmed(again, Goal("FD"), settings, points=Points.open(tmp_path / "fresh.jsonl", {}))
    assert again.samples == 0


def test_a_metric_that_few_samples_do_not_tell_is_waited_for(tmp_path):
    class Late(Valley):
        """Tells its distance as FD infinity, of half of the samples and more."""

        def growing(self, setting, counts):
            for seen in super().growing(setting, counts):
                told = {"FD infinity": seen["FD"]} if seen.samples * 2 >= self.n else {"KD": seen["FD"]}
                yield replace(seen, numbers=told)

    bench = Late()
    found = search(tmp_path, bench, goal="FD infinity")
    trials = found.run(8)
    assert next(set(trial.facts["stages"]) for trial in trials if trial.samples == bench.n) == {"200", "400"}
    assert any(trial.facts["given_up"] for trial in trials)
    assert abs(scale(found.best()[0].setting) - 4) < 1
    with pytest.raises(UsageError, match="'prompt accuracy' was not measured"):
        search(tmp_path / "other", bench, goal="prompt accuracy").run(8)
