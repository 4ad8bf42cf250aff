"""The measured table of a model card: its best scale is the default, its text says what was found."""

from dataclasses import replace

from benchmarks.card import card, lines
from lodestar.measure.prompts import Accuracy, Row
from lodestar.model import load
from tiny import tiny

ROWS = [
    Row(1.0, Accuracy(20, 100), Accuracy(10, 100)),
    Row(4.0, Accuracy(80, 100, evaluations=40.0), Accuracy(70, 100)),
]


def test_the_best_scale_is_the_default_and_is_saved(tmp_path):
    made = card(tiny(card={"steps": 3, "guidance": "cfg(2)"}), ROWS)
    made.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.defaults.guidance == "cfg(4)"
    assert [row["seen"] for row in loaded.card["measured"]] == [0.2, 0.8]
    assert loaded.card["steps"] == 3


def test_the_table_says_scale_w_share_and_interval():
    text = "\n".join(lines([*ROWS, replace(ROWS[0], scale=8.0)]))
    assert "| 4 | 3 | 80.0% (71.1% to 86.7%) | 70.0% (60.4% to 78.1%) | 40 |" in text
    assert "100 prompts" in text
