"""The measured table of a model card: its best scale is the default, its text says what was found and chosen by."""

from dataclasses import replace

import pytest

from benchmarks.card import card, choosing, lines, main
from lodestar.measure.prompts import Accuracy, Row
from lodestar.measure.share import Share
from lodestar.model import load
from tiny import tiny

ROWS = [
    Row(1.0, Accuracy(20, 100), Accuracy(10, 100)),
    Row(4.0, Accuracy(80, 100, evaluations=40.0), Accuracy(70, 100)),
]
OTHERS = {1.0: Share(3, 10), 4.0: Share(7, 10)}


def test_the_best_scale_is_the_default_and_is_saved(tmp_path):
    made = card(tiny(card={"steps": 3, "guidance": "cfg(2)"}), ROWS, OTHERS)
    made.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.defaults.guidance == "cfg(4)"
    assert [row["seen"] for row in loaded.card["measured"]] == [0.2, 0.8]
    assert [row["other_prompts"] for row in loaded.card["measured"]] == [0.3, 0.7]
    assert loaded.card["steps"] == 3


def test_the_best_is_so_by_prompts_that_are_not_in_the_table():
    assert card(tiny(), ROWS, {1.0: Share(9, 10), 4.0: Share(7, 10)}).defaults.guidance == "cfg(1)"


def test_what_chooses_shares_no_scene_and_no_seed_with_the_table(monkeypatch):
    asked = []

    def measured(model, prompts, guidance, *_, seed=0, **__):
        asked.append((guidance, seed, prompts))
        return Share(1, 1)

    monkeypatch.setattr("benchmarks.card.prompts", lambda n, start: range(start, start + n))
    monkeypatch.setattr("benchmarks.card.measure_prompts", measured)
    assert choosing(tiny(), [1.0, 4.0], 5, 5) == {1.0: Share(1, 1), 4.0: Share(1, 1)}
    assert asked == [(1.0, 5, range(5, 10)), (4.0, 5, range(5, 10))]


def test_the_table_says_scale_w_share_and_interval():
    text = "\n".join(lines([*ROWS, replace(ROWS[0], scale=8.0)], {**OTHERS, 8.0: Share(1, 10)}))
    assert "| 4 | 3 | 80.0% (71.1% to 86.7%) | 70.0% (60.4% to 78.1%) | 40 |" in text
    assert "100 prompts" in text
    assert "Scale 4 was chosen by 10 other prompts, of which 30.0% were right at 1, 70.0% at 4, 10.0% at 8." in text


@pytest.mark.filterwarnings("ignore:the model never saw in training", "ignore:a text of more than")
def test_a_tiny_model_from_its_folder_to_its_card(tmp_path, capsys):
    tiny(shape=(3, 16, 16)).save(tmp_path / "m")
    main([str(tmp_path / "m"), "--n", "2", "--scales", "1", "2", "--steps", "2", "--out", str(tmp_path / "card")])
    assert "was chosen by 2 other prompts" in capsys.readouterr().out
    measured = load(tmp_path / "card").card
    assert (measured["steps"], [row["scale"] for row in measured["measured"]]) == (2, [1, 2])
