"""`lodestar compare`: three files, the same after a kill, and errors in one line."""

import csv
import json
from pathlib import Path

import pytest

from lodestar.cli import main
from lodestar.measure.points import Points

SMALL = ("--n", "20", "--tune-n", "80", "--evaluations", "2")
pytestmark = pytest.mark.filterwarnings("ignore:the model never saw")


@pytest.fixture
def compare(beside: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `lodestar compare` in a folder of its own with a tiny detector of scenes; gives the exit code."""
    monkeypatch.setattr("lodestar.measure.candidates.STRENGTHS", {"scale": (1.5, 2)})

    def run(*args: object) -> int:
        options = ["--detector", "detector", "--reference", "scenes", "--reference-n", 60]
        return main(["compare", *map(str, [tiny_model, *options, *SMALL, *args])])

    return run


def test_a_comparison_from_end_to_end(compare, capsys):
    assert compare("--guidance", "cfg", "tcfg", "--json", "out.json") == 0
    told, out = json.loads(Path("out.json").read_text()), capsys.readouterr().out
    assert {rule["rule"] for rule in told["rules"]} == {"none", "cfg", "tcfg"}
    found = {rule["rule"]: rule["found"] for rule in told["rules"]}
    assert {name: f["evaluations"] for name, f in found.items()} == {"none": 2, "cfg": 2, "tcfg": 2}
    assert {name: f["setting"]["steps"] for name, f in found.items()} == {"none": 2, "cfg": 1, "tcfg": 1}
    fd = [rule["found"]["numbers"]["FD"]["value"] for rule in told["rules"]]
    assert fd == sorted(fd)
    assert told["protocol"]["tuned"] == {"samples": 80, "first_seed": 1_000_000, "for": "the lowest FD"}
    assert "Apart from cfg" in out
    page = Path("compare.md").read_text()
    assert "| tcfg | " in page
    assert "first_seed" in page
    rows = list(csv.DictReader(Path("compare.csv").read_text().splitlines()))
    assert {row["metric"] for row in rows} >= {"FD", "prompt accuracy", "recall", "saturation"}
    assert {row["verdict"] for row in rows if row["rule"] == "cfg"} == {""}
    assert [p.samples for p in Points.read("compare.tuning/20.jsonl")] == [20] * 4
    first = Points.read("compare.jsonl").protocol
    assert first["first_seed"] == 0
    assert Points.read("compare.tuning/20.jsonl").protocol["first_seed"] == 1_000_000


def test_after_a_kill_it_goes_on_and_gives_the_same(compare, capsys):
    assert compare("--guidance", "tcfg") == 0
    names = ("compare.jsonl", "compare.tuning/20.jsonl")
    before = {name: Path(name).read_bytes().splitlines(keepends=True) for name in names}
    for name, lines in before.items():
        Path(name).write_bytes(b"".join(lines[:-1]) + lines[-1][:50])
    capsys.readouterr()
    assert compare("--guidance", "tcfg") == 0
    err = capsys.readouterr().err
    assert err.count("ends in half a line") == 2
    assert "2 of 2: tcfg, chosen: " in err
    for name, lines in before.items():
        again = Path(name).read_bytes().splitlines()
        assert again[:-1] == [line.rstrip() for line in lines[:-1]]
        assert json.loads(again[-1])["numbers"] == json.loads(lines[-1])["numbers"]


def test_another_aim_is_another_file(compare, capsys):
    assert compare("--guidance", "cfg") == 0
    assert compare("--guidance", "cfg", "--maximize", "prompt accuracy") == 2
    assert "was measured otherwise: tuned" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--minimize", "FDD"], "there is no metric 'FDD'"),
        (["--minimize", "FD", "--maximize", "recall"], "one of them"),
        (["--minimize", "recall"], "of recall higher is better: say --maximize 'recall'"),
        (["--steps", "4"], "--steps follow from the cost of each rule here: give --evaluations"),
        (["--evaluations", "0"], "--evaluations must lie in [1, 100000], got 0"),
        (["--tune-n", "40"], "--tune-n must be at least 80"),
        (["--tune-seed", "5"], "--tune-seed 5 has seeds of --seed 0: choose one far away"),
        (["--guidance", "cgf"], "did you mean 'cfg'"),
        (["--guidance", "auto"], "needs a network named 'weak'"),
        (["--out", "compare.md"], "--out compare.md and the files beside it are several"),
        (["--json", "compare.csv"], "the files beside it are several"),
    ],
)
def test_mistakes_are_one_line(compare, capsys, args, said):
    assert compare(*args) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("lodestar: error: ")
    assert said in last
    assert not Path("compare.md").exists()
