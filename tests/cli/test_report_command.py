"""`lodestar report`: the page with its pictures and numbers, and what is refused before anything is written."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from frontiers import PROTOCOL, evaluation, points
from lodestar import read_recipe
from lodestar.cli import main
from lodestar.measure.report import drawing, page


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def quick(monkeypatch):
    """Without plotly's five million characters, and with pictures that nobody looks at."""
    monkeypatch.setattr(page, "script", lambda: "")
    monkeypatch.setattr(drawing, "draw", lambda *_: b"picture")


@pytest.fixture
def sweep():
    return points(Path("sweep.jsonl"))


def refused(capsys, *args):
    """The one line that is said of a mistake; nothing is written."""
    before = sorted(Path().rglob("*"))
    assert main(["report", *map(str, args)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sorted(Path().rglob("*")) == before
    return err.removeprefix("lodestar: error: ")


def test_a_page_two_pictures_and_all_numbers(sweep, capsys):
    assert main(["report", str(sweep), "--json", "out.json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("Pareto set of FD-scenes and recall-scenes")
    names = ["report.html", "report-frontier.png", "report-metrics.png", "report-numbers.csv"]
    assert out.splitlines()[-4:] == [f"written: {name}" for name in names]
    assert all(Path(name).stat().st_size for name in names)
    text = Path("report.html").read_text("utf-8")
    assert "plotly.js v" in text  # the whole of it
    assert len(text) < 6_000_000
    assert len(Path("report-numbers.csv").read_text().splitlines()) == 19
    recipe = read_recipe("report-frontier.png")
    results = json.loads(Path("out.json").read_text())
    assert recipe == results["config"]
    assert recipe["files"] == ["sweep.jsonl"]
    assert results["files"] == names
    assert "guidance cfg(1) | sampler ddim | steps 32" in results["pareto"]["FD-scenes, recall-scenes"]


@pytest.mark.usefixtures("quick")
def test_its_parts_can_go_elsewhere_and_weigh_other_metrics(sweep):
    args = ["--out", "a/x.html", "--png", "b/y.png", "--csv", "c/z.csv", "--title", "A & B"]
    args += ["--fidelity", "prompt accuracy", "--diversity", "evaluations", "recall-scenes"]
    assert main(["report", str(sweep), *args]) == 0
    written = {str(p) for p in Path().rglob("*") if p.is_file()}
    assert written == {"sweep.jsonl", "a/x.html", "b/y-frontier.png", "b/y-metrics.png", "c/z.csv"}
    text = Path("a/x.html").read_text("utf-8")
    assert "<h1>A &amp; B</h1>" in text
    assert "prompt accuracy against evaluations" in text
    assert "prompt accuracy against recall-scenes" in text


@pytest.mark.usefixtures("quick")
def test_files_measured_otherwise_are_told_of(sweep, capsys):
    other = points(Path("other.jsonl"), protocol={**PROTOCOL, "first_seed": 9})
    assert main(["report", str(sweep), str(other)]) == 0
    line = "the files were measured otherwise (first_seed): compare numbers within a file only"
    assert f"warning: {line}" in capsys.readouterr().err
    assert line in Path("report.html").read_text("utf-8")


@pytest.mark.usefixtures("quick")
def test_nothing_to_weigh_leaves_the_frontier_out():
    whole = evaluation("cfg", 2.0)
    path = points(Path("p.jsonl"), evaluations=[replace(whole, numbers={"FD": whole["FD"]})])
    assert main(["report", str(path)]) == 0
    assert Path("report-metrics.png").exists()
    assert not Path("report-frontier.png").exists()


def test_a_dry_run_writes_nothing(sweep, capsys):
    assert main(["report", str(sweep), "--out", "x.html", "--dry-run"]) == 0
    settled = json.loads(capsys.readouterr().out)
    assert (settled["png"], settled["csv"]) == ("x.png", "x-numbers.csv")
    assert sorted(map(str, Path().iterdir())) == ["sweep.jsonl"]


def test_files_that_are_no_points_are_refused(sweep, capsys):
    Path("empty.jsonl").touch()
    Path("other.jsonl").write_text('{"a": 1}\n')
    Path("folder").mkdir()
    points(Path("none.jsonl"), evaluations=[])
    assert "cannot read missing.jsonl: No such file" in refused(capsys, "missing.jsonl")
    assert "cannot read folder: Is a directory" in refused(capsys, "folder")
    assert "empty.jsonl is no file of points" in refused(capsys, "empty.jsonl")
    assert "other.jsonl is no file of points" in refused(capsys, sweep, "other.jsonl")
    assert "no points yet in none.jsonl" in refused(capsys, "none.jsonl")
    assert "lodestar report FILE.jsonl" in refused(capsys)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--out", "x.png"], "--out x.png must end in .html"),
        (["--out", "x"], "--out x must end in .html"),
        (["--png", "x.jpg"], "--png x.jpg must end in .png"),
        (["--csv", "x.txt"], "--csv x.txt must end in .csv"),
        (["--out", "folder.html"], "cannot write folder.html: Is a directory"),
        (["--out", "sweep.jsonl/x.html"], "a file stands where a folder should be"),
        (["--json", "sweep.jsonl"], "sweep.jsonl is what is read, and would be lost"),
        (["--json", "report-numbers.csv"], "report-numbers.csv is written twice"),
        (["--fidelity", "beauty"], "there is no metric 'beauty'"),
        (["--diversity", "coverage"], "'coverage' was not measured: there are FD-scenes, "),
    ],
)
def test_what_cannot_be_written_or_weighed_is_refused(sweep, capsys, args, words):
    Path("folder.html").mkdir()
    assert words in refused(capsys, sweep, *args)


@pytest.mark.parametrize(("package", "module"), [("plotly", "plotly.offline"), ("matplotlib", "matplotlib")])
def test_a_missing_package_is_told_with_its_extra(sweep, capsys, monkeypatch, package, module):
    monkeypatch.setitem(sys.modules, module, None)
    line = refused(capsys, sweep)
    assert f"need {package}: pip install 'lodestar-diffusion[report]'" in line.replace("needs", "need")
