"""What files of points say, brought together."""

from dataclasses import replace

import pytest

from frontiers import PROTOCOL, RULES, SCALES, evaluation, points, spread
from lodestar.errors import UsageError
from lodestar.measure.numbers import Number
from lodestar.measure.report.content import COSTS, content
from lodestar.measure.report.panels import frontiers, measures
from lodestar.measure.report.plots import plot
from lodestar.measure.setting import Setting


@pytest.fixture
def made(tmp_path):
    """The content of a file of these points."""

    def run(*evaluations, **more):
        return content([points(tmp_path / "made.jsonl", evaluations=evaluations or None, **more)])

    return run


def named(found):
    return [column.name for column in found.columns]


def test_a_line_for_each_rule_and_a_column_for_each_metric_by_its_detector(made):
    found = made()
    assert len(found.rows) == len(RULES) * len(SCALES)
    assert found.lines == ["cfg", "interval(cfg), interval 0.28 to 5.4", "rescale(cfg, phi=0.7)"]
    metrics = ["FD-scenes", "KD-scenes", "precision-scenes", "recall-scenes", "prompt accuracy", "saturation"]
    assert named(found) == [*metrics, "evaluations", "seconds"]
    assert found.scales == sorted(SCALES)
    assert {row.w for row in found.rows} == {scale - 1 for scale in SCALES}
    row = found.rows[0]
    assert (row.rule, row.scale, row.interval) == ("cfg", 1.0, None)
    assert row.values["FD-scenes"].value == row.evaluation["FD"].value
    assert row.values["seconds"].value == row.evaluation.seconds / 1000


def test_no_guidance_begins_every_interval_of_its_rule(made):
    def inside(scale, steps=32):
        setting = Setting(f"interval(cfg({scale}), lo=0.28, hi=5.4)", "ddim", steps)
        facts = {"rule": "cfg", "scale": scale, "interval": [0.28, 5.4]}
        return replace(evaluation("cfg", scale), setting=setting, facts=facts)

    found = made(*(evaluation("cfg", s) for s in (1.0, 2.0)), inside(2.0), inside(3.0), inside(3.0, steps=8))
    at = {line: [found.rows[i].scale for i in found.along(line)] for line in found.lines}
    assert at == {
        "cfg, steps 32": [1.0, 2.0],
        "cfg, interval 0.28 to 5.4, steps 32": [1.0, 2.0, 3.0],
        "cfg, interval 0.28 to 5.4, steps 8": [3.0],
    }
    assert len(found.rows) == 5


def test_what_was_compared_under_a_name_is_called_by_it(made):
    none, plain = (evaluation("cfg", scale) for scale in (1.0, 2.0))
    none = replace(none, facts={**none.facts, "compared": "none"})
    assert made(none, plain).lines == ["none", "cfg"]


def test_points_that_differ_in_more_than_their_scale_are_one_line_that_nothing_joins(made):
    def tried(scale, hi):
        facts = {"rule": "interval", "scale": scale, "interval": [0.1, hi], "scattered": True}
        return replace(evaluation("cfg", scale), setting=Setting(f"interval(cfg({scale}), hi={hi})"), facts=facts)

    found = made(tried(2.0, 1.0), tried(3.0, 5.0), tried(2.0, None))
    assert found.lines == ["interval"]
    names = ["interval(cfg(2.0), hi=1.0)", "interval(cfg(2.0), hi=None)", "interval(cfg(3.0), hi=5.0)"]
    assert [row.name for row in found.rows] == names
    [(x, y), *_] = found.pairs()
    for panel in (*frontiers(found, [(x, y)]), *measures(found)):
        assert [trace.joined for trace in panel.traces] == [False]
        assert plot(panel, found)["data"][0]["mode"] == "markers"


def test_rows_come_along_the_scale_however_they_were_measured(made):
    found = made(*(evaluation("cfg", scale) for scale in (3.0, 1.0, 2.0)))
    assert [row.scale for row in found.rows] == [1.0, 2.0, 3.0]


def test_another_sampler_or_number_of_samples_is_another_line(made):
    found = made(evaluation("cfg", 2.0), evaluation("cfg", 2.0, steps=8), evaluation("cfg", 3.0, samples=100))
    assert found.lines == [
        "cfg, steps 32, samples 1000",
        "cfg, steps 8, samples 1000",
        "cfg, steps 32, samples 100",
    ]


def test_a_point_without_facts_is_known_by_its_guidance(made):
    found = made(replace(evaluation("cfg", 2.0), facts={}))
    assert (found.lines, found.scales) == (["cfg(2)"], [])


@pytest.mark.parametrize("interval", [None, "all", [1], [1, float("nan")], [1, "many"], {"lo": 1}])
def test_facts_that_make_no_sense_are_passed_over(made, interval):
    facts = {"rule": "cfg", "scale": float("nan"), "interval": interval, "strip": 3}
    [row] = made(replace(evaluation("cfg", 2.0), facts=facts)).rows
    assert (row.line, row.scale, row.interval, row.strip) == ("cfg", None, None, None)


def test_an_end_of_an_interval_may_be_open(made):
    facts = {"rule": "cfg", "scale": 2.0, "interval": [0.5, None]}
    [row] = made(replace(evaluation("cfg", 2.0), facts=facts)).rows
    assert (row.line, row.interval) == ("cfg, interval 0.5 to inf", (0.5, float("inf")))


def test_numbers_that_are_not_there_are_left_out(made):
    whole = evaluation("cfg", 2.0)
    numbers = {
        "FD": replace(whole["FD"], low=float("nan"), high=float("nan")),
        "recall": Number(float("nan"), 0, 1),
        "KD": Number(None, 0, 1),
    }
    found = made(replace(whole, numbers=numbers), replace(whole, setting=Setting("cfg(9)"), numbers={}))
    assert named(found) == ["FD-scenes", "evaluations", "seconds"]
    assert found.rows[0].values["FD-scenes"].low is None
    assert set(found.rows[1].values) <= set(COSTS)
    assert found.pairs() == []


def test_two_files_are_two_lines_and_two_detectors_two_columns(tmp_path):
    other = {**PROTOCOL, "detector": {**PROTOCOL["detector"], "name": "inception", "dim": 2048}}
    one = points(tmp_path / "a.jsonl", evaluations=[evaluation("cfg", 2.0)])
    two = points(tmp_path / "b.jsonl", evaluations=[evaluation("cfg", 2.0)], protocol=other)
    found = content([one, two])
    assert found.lines == ["cfg, a", "cfg, b"]
    assert [name for name in named(found) if name.startswith("F")] == ["FD-scenes", "FID"]
    assert [(x.name, y.name) for x, y in found.pairs()][:2] == [
        ("recall-scenes", "FD-scenes"),
        ("recall-inception", "FID"),
    ]
    assert any("measured otherwise (detector)" in line for line in found.cautions())
    assert any("fewer than the 2048 features" in line for line in found.cautions())


def test_files_of_two_models_measured_alike_need_no_caution(tmp_path):
    protocols = {name: {**PROTOCOL, "model": {"name": name, "digest": name}} for name in "ab"}
    paths = [points(tmp_path / f"{k}.jsonl", protocol=v) for k, v in protocols.items()]
    assert content(paths).cautions() == []


def test_what_is_weighed_by_default_and_by_name(made):
    found = made()
    shown = [(x.name, y.name) for x, y in found.pairs()]
    assert shown == [("recall-scenes", "FD-scenes"), ("recall-scenes", "precision-scenes")]
    [(x, y)] = found.pairs(["fd"], ["Evaluations"])
    assert (x.name, y.name) == ("evaluations", "FD-scenes")
    with pytest.raises(UsageError, match="'coverage' was not measured: there are FD-scenes, "):
        found.pairs(["FD"], ["coverage"])
    with pytest.raises(UsageError, match="neither more nor less saturation"):
        found.pairs(["saturation"])
    with pytest.raises(UsageError, match="no metric 'beauty'"):
        found.pairs(["beauty"])


def test_without_recall_and_precision_what_is_like_them_is_taken(made):
    numbers = {"KD": spread(0.1, 0.01), "class accuracy": spread(0.9, 0.01), "diversity": spread(0.5, 0.1)}
    found = made(replace(evaluation("cfg", 2.0), numbers=numbers))
    pairs = [("diversity-scenes", "KD-scenes"), ("diversity-scenes", "class accuracy-scenes")]
    assert [(x.name, y.name) for x, y in found.pairs()] == pairs


def test_of_two_accuracies_that_of_the_prompt_is_taken(made):
    several = dict.fromkeys(("class accuracy", "prompt accuracy", "edit accuracy"), spread(0.9, 0.01))
    numbers = {"KD": spread(0.1, 0.01), "diversity": spread(0.5, 0.1), **several}
    found = made(replace(evaluation("cfg", 2.0), numbers=numbers))
    assert [y.name for _, y in found.pairs()] == ["KD-scenes", "prompt accuracy"]


def test_a_metric_of_another_version_is_shown_and_not_weighed(made):
    found = made(replace(evaluation("cfg", 2.0), numbers={"charm": spread(1.0, 0.1)}))
    assert named(found)[0] == "charm"
    assert found.column("charm").better == "neither"


def test_a_strip_lies_in_the_folder_of_the_file(made, tmp_path):
    told = ("s/1.png", "../other/1.png", "/etc/passwd", "")
    rows = made(*(evaluation("cfg", 1.0 + i, strip=name) for i, name in enumerate(told))).rows
    assert [row.strip for row in rows] == [tmp_path / "s/1.png", None, None, None]


def test_files_without_points_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"there are no points yet in .*made.jsonl"):
        content([points(tmp_path / "made.jsonl", evaluations=[])])
