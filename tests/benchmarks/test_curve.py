"""The curve of a run is what its log says."""

import json
from pathlib import Path

import pytest

from benchmarks.curve import main, read
from lodestar.pictures import read_picture


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"preset": {"train": {"batch": 4}}}))
    lines = [
        {"step": 10, "images": 40, "loss": 0.5},
        {"step": 10, "validation": {"loss": 0.6}},
        {"step": 20, "images": 80, "loss": 0.9},
        {"step": 20, "images": 80, "loss": 0.3},  # told again after a stop
        {"step": 20, "validation": {"loss": 0.4}},
        {"step": 20, "samples": {"file": "samples/step-00000020.png"}},
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_reads_the_log_and_the_last_of_what_is_told_twice(run: Path) -> None:
    curve = read(run)
    assert curve.training == [(40, 0.5), (80, 0.3)]
    assert curve.held_out == [(40, 0.6), (80, 0.4)]


def test_prints_a_table_and_draws(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "curve.png"
    main([str(run), "--out", str(out)])
    assert capsys.readouterr().out.splitlines()[2:] == ["| 40 | 0.6000 |", "| 80 | 0.4000 |"]
    assert read_picture(out, 3).float().std() > 0.01
