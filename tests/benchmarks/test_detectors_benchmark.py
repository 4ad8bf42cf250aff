"""That a detector is measured by what it says of held-out pictures, and shipped as it was measured."""

import json

import pytest
import torch

from benchmarks import detectors as bench
from judges import classifier
from lodestar.data.scenes.answers import QUESTIONS, SCHEMA
from lodestar.likelihood import Likelihood


def test_calibration_is_how_far_answers_are_from_as_sure_as_they_should_be():
    right = torch.tensor([True, True, True, False, False, True])
    sure = torch.tensor([0.75, 0.75, 0.75, 0.75, 0.1, 0.1])
    assert bench.calibration_error(right, sure) == pytest.approx(2 * 0.4 / 6)
    assert bench.calibration_error(right[:4], sure[:4]) == pytest.approx(0)
    ends = torch.tensor([0.0, 1.0])
    assert bench.calibration_error(torch.tensor([False, True]), ends) == 0


def test_a_picture_is_right_when_every_question_asked_of_it_is():
    judge = classifier(SCHEMA)
    held = bench.ScenesSource(16).held_out(6)
    asked, right, sure, _ = bench.measured(judge, held, 4)
    assert asked.shape == right.shape == sure.shape == (6, len(QUESTIONS))
    assert bool(((sure > 0) & (sure <= 1)).all())
    found = bench.row(judge, "scenes", held, "fp16", 4)
    assert found.right.right == sum(bool(r[a].all()) for r, a in zip(right, asked, strict=True))
    assert (found.answers.right, found.answers.n) == (int((right & asked).sum()), int(asked.sum()))


def test_it_is_written_in_half_precision_with_what_was_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "held_out", lambda judge, data, n: {"scenes": bench.ScenesSource(16).held_out(n)})
    classifier(SCHEMA, name="mine").save(tmp_path / "run")
    bench.main([str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--n", "3"])
    out = capsys.readouterr().out
    assert out.count("| scenes | 3 | fp") == 2
    shipped = Likelihood.load(tmp_path / "out")
    (row,) = shipped.card["measured"]
    assert json.loads((tmp_path / "out" / "config.json").read_text())["name"] == "mine"
    size = (tmp_path / "out" / "model.safetensors").stat().st_size
    assert row["bytes"] <= size <= row["bytes"] + 20_000
    assert 2 * size <= (tmp_path / "run" / "model.safetensors").stat().st_size + 20_000
    again = bench.row(shipped, "scenes", bench.ScenesSource(16).held_out(3), "fp16", 3)
    assert again.describe() == row
