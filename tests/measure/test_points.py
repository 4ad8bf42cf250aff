"""A file of points is never half written for long: a kill loses the point at work and no other."""

import json
from pathlib import Path

import pytest

from lodestar.errors import UsageError
from lodestar.measure.numbers import Number
from lodestar.measure.points import Points
from lodestar.measure.setting import Evaluation, Setting

PROTOCOL = {"samples": 100, "versions": {"lodestar": "1"}}


def point(guidance: str, value: float = 1.0) -> Evaluation:
    return Evaluation(Setting(guidance), {"FD": Number(value, 0.5, 1.5, (0.9, 1.1))}, 100, 40.0, facts={"scale": 3})


def filled(path: Path) -> Points:
    points = Points.open(path, PROTOCOL)
    for guidance in ("cfg(2)", "cfg(3)"):
        points.add(point(guidance))
    return points


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    again = Points.read(filled(path).path)
    assert list(again) == [point("cfg(2)"), point("cfg(3)")]
    assert again.protocol == PROTOCOL
    assert Points.open(path, PROTOCOL).done.keys() == again.done.keys() == {"guidance cfg(2)", "guidance cfg(3)"}


@pytest.mark.parametrize("lost", [1, 20, 300])
def test_a_half_written_last_line_is_cut_off(tmp_path: Path, lost: int) -> None:
    path = filled(tmp_path / "points.jsonl").path
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.warns(UserWarning, match="half a line"):
        points = Points.open(path, PROTOCOL)
    done = 1 if lost < 300 else len(points)
    assert len(points) == done
    points.add(point("cfg(3)"))
    assert [each.setting.guidance for each in Points.read(path)][-1] == "cfg(3)"
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_reading_alone_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "points.jsonl").path
    path.write_bytes(path.read_bytes()[:-20])
    before = path.read_bytes()
    with pytest.warns(UserWarning, match="half a line"):
        assert len(Points.read(path)) == 1
    assert path.read_bytes() == before


def test_a_file_without_any_point_is_begun_anew(tmp_path: Path) -> None:
    Points.open(tmp_path / "p.jsonl", {"samples": 20})
    found = Points.open(tmp_path / "p.jsonl", {"samples": 40})
    assert found.protocol == {"samples": 40} == Points.read(tmp_path / "p.jsonl").protocol


def test_another_protocol_is_refused_and_another_version_told(tmp_path: Path) -> None:
    path = filled(tmp_path / "points.jsonl").path
    with pytest.raises(UsageError, match="measured otherwise: samples 100 and now 50; write into another file"):
        Points.open(path, {**PROTOCOL, "samples": 50})
    with pytest.warns(UserWarning, match="begun otherwise: versions"):
        assert len(Points.open(path, {**PROTOCOL, "versions": {"lodestar": "2"}})) == 2


@pytest.mark.parametrize("text", ["", "hello\n", '{"a": 1}\n', "[1]\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"no file of points|line 1, is damaged"):
        Points.read(path)
    assert path.read_text() == text


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path / "points.jsonl").path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "damage\n", lines[2]]))
    with pytest.raises(UsageError, match="line 2, is damaged: remove that line"):
        Points.read(path)
    path.write_text("".join([lines[0], '{"setting": {}}\n']))
    with pytest.raises(UsageError, match="line 2, is no point of this Lodestar"):
        Points.read(path)
    with pytest.raises(UsageError, match="cannot read"):
        Points.read(tmp_path / "nowhere")


def test_an_unmeasured_metric_is_named() -> None:
    assert point("cfg(2)")["FD"].value == 1
    with pytest.raises(UsageError, match="'recall' was not measured: there are FD"):
        point("cfg(2)")["recall"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"setting": {}, "numbers": [], "samples": 1}', "line 2, is no point of this Lodestar"),
        ('{"setting": [], "numbers": {}, "samples": 1}', "line 2, is no point of this Lodestar"),
    ],
)
def test_lines_of_another_form_are_told_of(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "points.jsonl"
    Points.open(path, PROTOCOL)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UsageError, match=said):
        Points.read(path)


def test_a_file_without_a_protocol_is_no_file_of_points(tmp_path: Path) -> None:
    (tmp_path / "points.jsonl").write_text('{"lodestar": "points", "format": 1}\n')
    with pytest.raises(UsageError, match="is no file of points"):
        Points.read(tmp_path / "points.jsonl")
