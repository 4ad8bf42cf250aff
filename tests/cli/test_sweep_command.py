"""`lodestar sweep`: points that stay, a table, differences in pairs, and errors in one line."""

import json
from pathlib import Path

import pytest

from lodestar.cli import main
from lodestar.measure.points import Points

SMALL = ("--n", "20", "--steps", "1")
pytestmark = pytest.mark.filterwarnings("ignore:the model never saw")


@pytest.fixture
def sweep(beside: Path, tiny_model: Path):
    """Runs `lodestar sweep` in a folder of its own with a tiny detector of scenes; gives the exit code."""

    def run(*args: object) -> int:
        options = ["--detector", "detector", "--reference", "scenes", "--reference-n", 60]
        return main(["sweep", *map(str, [tiny_model, *options, *SMALL, *args])])

    return run


def keys(path: str = "sweep.jsonl") -> list[str]:
    return [point.setting.guidance for point in Points.read(path)]


def test_a_sweep_from_end_to_end(sweep, capsys):
    asked = ("--guidance", "cfg", "rescale(cfg)", "--scales", 1, 2, "--intervals", "none", "0.2:3")
    assert sweep(*asked, "--against", "cfg(2)", "--json", "out.json") == 0
    told, (out, err) = json.loads(Path("out.json").read_text()), capsys.readouterr()
    assert len(told["points"]) == len(keys()) == 7  # of 8: cfg(1) is the same in every interval
    assert [line for line in err.splitlines() if "sweep: 7 of 7: " in line]
    assert [
        head for head in ("rule", "scale", "w", "interval", "FD-tiny", "evaluations/image") if head not in out
    ] == []
    assert "apart from cfg(2)" in out
    assert len(told["apart"]) == 6
    assert told["protocol"]["samples"] == 20
    for point in told["points"]:
        assert (Path() / point["facts"]["strip"]).is_file()
    assert {p["setting"]["sampler"] for p in told["points"]} == {"ddim"}


def test_after_a_kill_it_goes_on(sweep, capsys):
    assert sweep("--scales", 1, 2) == 0
    whole = Path("sweep.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    Path("sweep.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:80])
    capsys.readouterr()
    assert sweep("--scales", 1, 2, 3) == 0
    err = capsys.readouterr().err
    assert "ends in half a line" in err
    assert "1 of 2: cfg(2), 1 steps" in err
    assert keys() == ["cfg(1)", "cfg(2)", "cfg(3)"]
    again = json.loads(Path("sweep.jsonl").read_bytes().splitlines()[2])
    assert again["numbers"] == json.loads(lines[2])["numbers"]
    before = Path("sweep.jsonl").read_bytes()
    assert sweep("--scales", 3, 1) == 0
    assert Path("sweep.jsonl").read_bytes() == before


def test_a_file_of_another_protocol_is_left_alone(sweep, capsys):
    assert sweep("--scales", 1, "--no-strips") == 0
    before = Path("sweep.jsonl").read_bytes()
    assert sweep("--scales", 2, "--seed", 9) == 2
    assert "was measured otherwise: first_seed 0 and now 9" in capsys.readouterr().err
    assert Path("sweep.jsonl").read_bytes() == before
    assert not Path("sweep.strips").exists()


def test_several_steps_are_points_of_their_own(sweep):
    assert sweep("--guidance", "cfg(2)", "--steps", 1, 2, "--no-strips", "--against", "cfg(2)") == 0
    assert [point.setting.steps for point in Points.read("sweep.jsonl")] == [1, 2]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--scales"], "--scales is empty"),
        (["--guidance"], "--guidance is empty"),
        (["--steps"], "--steps is empty"),
        (["--steps", "0"], "steps must be a whole number of at least 1, got 0"),
        (["--intervals", "3"], "an interval is two noise levels lo:hi"),
        (["--guidance", "cgf"], "did you mean 'cfg'"),
        (["--guidance", "cfgpp", "--scales", "2"], "cfgpp has none"),
        (["--against", "cfg(9)"], "--against cfg(9) is no rule of this sweep: there are cfg(1), cfg(1.5)"),
        (["--n", "5"], "--n 5 samples are too few"),
        (["--json", "sweep.jsonl"], "--json sweep.jsonl is where the points go"),
        (["--guidance", "auto(2)"], "needs a network named 'weak'"),
        (["--sampler", "ddin"], "did you mean 'ddim'"),
    ],
)
def test_mistakes_are_one_line(sweep, capsys, args, said):
    assert sweep(*args) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("lodestar: error: ")
    assert said in last
    assert not Path("sweep.strips").exists()


def test_a_dry_run_is_read_back(sweep, capsys):
    assert sweep("--dry-run") == 0
    settled = capsys.readouterr().out
    assert json.loads(settled)["scales"] == [1, 1.5, 2, 3, 4, 6]
    assert json.loads(settled)["steps"] == [1]
    Path("job.json").write_text(settled)
    assert main(["sweep", "--config", "job.json", "--dry-run"]) == 0
    assert capsys.readouterr().out == settled
    assert not Path("sweep.jsonl").exists()
