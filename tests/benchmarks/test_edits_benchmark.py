"""The two scales of an editing model: its table, its card, its picture; a tiny model through all of it."""

import json
import math
from dataclasses import replace

import pytest
from PIL import Image

from benchmarks.edits import COMPOSED, FRESH, Cell, best, card, cells, lines, main, plot
from lodestar.conditions import ImageSchema, JointSchema
from lodestar.measure.edits import Edited
from lodestar.model import load
from tiny import TEXT, tiny

TABLE = {"text": 0.05, "image": 0.05, "text+image": 0.05}
MODEL = tiny(
    JointSchema({"text": replace(TEXT, length=24), "image": ImageSchema((3, 16, 16))}, TABLE),
    shape=(3, 16, 16),
    card={"steps": 1, "guidance": "edit"},
)
KINDS = ["add", "move", "move", "ground"]
CLEAN_FEW = Edited(["count", None, "place", None], KINDS, [40.0, 41.0, 42.0, math.inf], 40.0)
ROUGH_MANY = Edited([None, None, "place", None], KINDS, [20.0, 21.0, 22.0, 23.0], 60.0)
BEST = Edited([None, None, "place", None], KINDS, [31.0, 33.0, 29.0, 35.0], 60.0)
GRID = [Cell(1, 1, CLEAN_FEW), Cell(7.5, 1, ROUGH_MANY), Cell(3, 1.5, BEST)]
NEW = [Cell(3, 1.5, ROUGH_MANY, FRESH), Cell(3, 1.5, CLEAN_FEW, COMPOSED)]


def test_the_best_is_right_and_clean():
    assert best(GRID) is GRID[2]
    assert best(GRID[:2]) is GRID[0]


def test_its_scales_are_the_default_and_the_table_is_in_the_card(tmp_path):
    card(MODEL, GRID, NEW).save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.defaults.guidance == "edit(3, image=1.5)"
    rows = loaded.card["measured"]
    assert [(r["text"], r["image"], r["accuracy"]) for r in rows] == [
        (1, 1, 0.5),
        (7.5, 1, 0.75),
        (3, 1.5, 0.75),
        (3, 1.5, 0.75),
        (3, 1.5, 0.5),
    ]
    assert [row["triples"] for row in rows[-2:]] == ["seen combinations, other triples", "held-out combinations"]
    assert rows[2]["untouched_psnr_median"] == 32
    json.dumps(loaded.describe(), allow_nan=False)


def test_what_was_chosen_is_measured_on_triples_by_which_it_was_not(monkeypatch):
    asked = []
    monkeypatch.setattr("benchmarks.edits.measure_edits", lambda model, edits, *_, **__: asked.append(edits))
    for kind in ("seen combinations", FRESH, COMPOSED):
        cells(MODEL, [3], [1.5], 5, 5, kind)
    indices = [set(edits.before.index.tolist()) for edits in asked]
    assert [len(index) for index in indices] == [5, 5, 5]
    assert len(set.union(*indices)) == 15


def test_the_table_in_words():
    text = "\n".join(lines(GRID, NEW))
    share = "75.0% (30.1% to 95.4%)"
    assert f"| 3 | 1.5 | seen combinations | {share} | {share} | 32.0 | {share} | 60 |" in text
    told = "edit(3, image=1.5), seen combinations, other triples, right by kind:"
    assert f"{told} add 1 of 1, ground 1 of 1, move 1 of 2." in text
    assert "What was wrong first with the others: place 1." in text
    assert "4 triples in each row" in text


def test_the_trade_off_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    plot(GRID, tmp_path / "deep" / "edits.png")
    with Image.open(tmp_path / "deep" / "edits.png") as drawn:
        assert min(drawn.size) > 300
        assert len(drawn.convert("RGB").getcolors(1 << 20)) > 10


@pytest.mark.filterwarnings("ignore:the model never saw in training")
def test_a_tiny_model_from_its_folder_to_its_card(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    MODEL.save(tmp_path / "m")
    out = ["--plot", str(tmp_path / "p.png"), "--out", str(tmp_path / "card")]
    main([str(tmp_path / "m"), "--n", "3", "--text", "1", "3", "--image", "1", "--steps", "2", *out])
    said = capsys.readouterr().out
    assert said.count("| seen combinations |") == 2
    assert said.count("| seen combinations, other triples |") == 1
    assert said.count("| held-out combinations |") == 1
    measured = load(tmp_path / "card").card
    assert (measured["steps"], len(measured["measured"])) == (2, 4)
    assert (tmp_path / "p.png").is_file()
