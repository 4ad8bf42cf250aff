"""`lodestar info` and `lodestar rules`."""

import json

import pytest

from judges import classifier
from lodestar.cli import main
from lodestar.cli.info import lines
from lodestar.guidance import RULES
from lodestar.guidance.schedules import SHAPES
from lodestar.process import GRIDS
from lodestar.samplers import SAMPLERS


def test_info_tells_all_that_the_model_tells(tiny_model, tmp_path, capsys):
    assert main(["info", str(tiny_model), "--json", str(tmp_path / "info.json")]) == 0
    out = capsys.readouterr().out
    known = json.loads((tmp_path / "info.json").read_text())["model"]
    for word in ("name", "schema.kind", "null", "drop", "guidance", "measured", "recipe", "licence", "parameters"):
        assert word in out
        assert word.split(".")[0] in known
    assert "text" in out


def test_info_tells_what_a_classifier_tells_apart(tmp_path, capsys):
    classifier().save(tmp_path / "j")
    assert main(["info", str(tmp_path / "j"), "--json", str(tmp_path / "info.json")]) == 0
    known = json.loads((tmp_path / "info.json").read_text())["model"]
    assert (known["kind"], known["tells"]) == ("classifier", {"class": ["cat", "dog", "owl"]})
    assert "cat, dog, owl" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["cifar10", "scenes"])
def test_info_tells_what_a_shipped_detector_was_measured_at(name, capsys):
    assert main(["info", name]) == 0
    out = capsys.readouterr().out
    assert "accuracy_95" in out
    assert f"lodestar train --preset detector-{name}" in out


def test_info_shows_a_table_a_row_a_line():
    measured = {"table": [{"scale": 1.0, "seen": 0.5}, {"scale": 2.0, "seen": 0.75}], "prompts": 1000}
    assert list(lines({"measured": measured, "recipe": {"preset": {"train": {"lr": 1e-3}}}, "licence": None})) == [
        ("measured.table", "scale 1, seen 0.5"),
        ("measured.table", "scale 2, seen 0.75"),
        ("measured.prompts", "1000"),
        ("recipe.preset", "train (lr 0.001)"),
        ("licence", "-"),
    ]


def test_every_rule_and_sampler_is_listed_with_its_source(tmp_path, capsys):
    assert main(["rules", "--json", str(tmp_path / "rules.json")]) == 0
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "rules.json").read_text())
    assert [r["name"] for r in found["rules"]] == sorted(RULES)
    assert [s["name"] for s in found["samplers"]] == sorted(SAMPLERS)
    assert all(r["about"] and r["source"] for r in (*found["rules"], *found["samplers"]))
    assert "cfg(scale=4)" in out
    assert "scale=1" in out
    assert "interval(inner, lo=0.28, hi=5.42)" in out
    assert "arXiv:2207.12598" in out
    assert "ancestral(noise_mix=0.3)" in out


def test_every_schedule_is_listed_and_a_default_is_told_as_it_is_typed(tmp_path, capsys):
    assert main(["rules", "--json", str(tmp_path / "rules.json")]) == 0
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "rules.json").read_text())
    assert [s["name"] for s in found["schedules"]] == sorted(SHAPES)
    assert all(s["about"] for s in found["schedules"])
    assert "schedule(inner, shape=cosine(0, clean=2))" in out
    assert "pcs(noise=0, clean=1, power=4)" in out
    assert next(r for r in found["rules"] if r["name"] == "schedule")["fields"]["shape"] == "cosine(0, clean=2)"


def test_every_grid_is_listed(tmp_path, capsys):
    assert main(["rules", "--json", str(tmp_path / "rules.json")]) == 0
    out = capsys.readouterr().out
    grids = json.loads((tmp_path / "rules.json").read_text())["grids"]
    assert [g["name"] for g in grids] == sorted(GRIDS)
    assert all(g["about"] for g in grids)
    assert any(line.startswith("lam ") for line in out.splitlines())


def test_both_can_be_run_dry(tiny_model, capsys):
    assert main(["info", str(tiny_model), "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out) == {"command": "info", "model": str(tiny_model)}
    assert main(["rules", "apg", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out) == {"command": "rules", "rule": "apg"}
