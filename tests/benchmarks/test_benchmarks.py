"""That the benchmarks measure what they say, and that each runs; not what they find."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import importing, sampling
from benchmarks.interleave import interleaved, ratio, series
from benchmarks.options import Options
from benchmarks.report import Finding, Report
from lodestar.cli import main

ROOT = Path(__file__).parents[2]
QUICK = Options(quick=True)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_sides_take_turns_and_the_first_round_does_not_count():
    order = []

    def side(name):
        return lambda: order.append(name) or len(order)

    found = interleaved({"a": side("a"), "b": side("b")}, 2)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert found == {"a": [3, 5], "b": [4, 6]}


def test_a_ratio_is_of_medians():
    assert ratio(series("a", "s", [1, 2, 90]), series("b", "s", [4, 0.5, 5])) == 0.5


def report(values, load=0.1):
    findings = [Finding("speed", 2.0, 2.0, "at least"), Finding("loss", 1.1, 1.0, "at most")]
    return Report("name", "Title", {"n": 3}, [series("side", "s", values)], findings, machine={"load": load})


def test_a_report_says_what_holds_and_by_how_much_it_varied(tmp_path):
    report([1, 2, 3, 4, 9]).save(tmp_path)
    data, text = json.loads((tmp_path / "name.json").read_text()), (tmp_path / "name.md").read_text()
    assert [f["holds"] for f in data["findings"]] == [True, False]
    assert {k: data["series"][0][k] for k in ("median", "min", "max", "values")} == {
        "median": 3,
        "min": 1,
        "max": 9,
        "values": [1, 2, 3, 4, 9],
    }
    assert data["warnings"] == []
    assert "| side | s | 3 | 1 | 9 | 5 |" in text
    assert "| loss | 1.1 | at most 1 | **no** |" in text


@pytest.mark.parametrize(
    ("told", "quick", "why"),
    [
        (report([1.0] * 4), False, "repetitions"),
        (report([1.0] * 5, 2.5), False, "load"),
        (report([1.0] * 5), True, "quick"),
    ],
)
def test_a_report_says_why_it_is_no_result(told, quick, why):
    [warning] = told.warnings(quick)
    assert why in warning
    assert warning in told.to_markdown(quick)


def test_sampling_times_steps_and_counts_rows():
    found = sampling.measure(QUICK)
    guided, unguided, *_ = (s.median for s in found.series)
    assert found.settings["network rows of cfg(4)"] == 2 * found.settings["network rows of cfg(1)"] == 12
    assert 0 < found.series[2].median < guided
    assert 0 < found.series[3].median < unguided
    assert "untrained" in found.settings["model"]


@pytest.mark.slow
def test_importing_starts_processes_of_their_own(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    found = importing.measure(QUICK)
    alone, torch_, lodestar, touched = (s.median for s in found.series)
    assert alone < torch_
    assert alone < touched
    assert lodestar < torch_


@pytest.mark.slow
def test_the_peer_is_as_large_reads_all_it_is_given_and_trains_its_ends_apart():
    pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")
    from benchmarks.peer import CLOSE, as_large_as, parameters
    from benchmarks.subjects import subject
    from lodestar.train import preset
    from lodestar.train.muon import hidden

    what, chosen = subject(quick=True), preset("scenes-32")
    ours = replace(what, preset=chosen).fresh()
    peer = as_large_as(ours.network, chosen.network, what.schema, 1, 32)
    text = parameters(peer.encoder)
    assert abs((parameters(peer) - text) / (parameters(ours.network) - text) - 1) < CLOSE
    x, level = torch.randn(3, 3, 32, 32), chosen.process.level(torch.tensor([0.2, 0.2, 0.7]).double())
    out = peer(x[[0, 0, 0]], level, peer.encode(what.schema.encode(["a red circle", "a blue star", "a red circle"])))
    assert out.shape == x.shape
    assert not torch.allclose(out[0], out[1], atol=1e-4)  # the text
    assert not torch.allclose(out[0], out[2], atol=1e-4)  # the level
    assert not {id(p) for p in (*peer.stem.parameters(), *peer.head.parameters())} & {id(p) for p in hidden(peer)}


@pytest.mark.slow
def test_training_gives_both_sides_their_whole_schedule():
    pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")
    from benchmarks import training

    found = training.measure(QUICK)
    ours, theirs = found.curves[training.OURS], found.curves[training.THEIRS]
    assert [p["images"] for p in ours] == [p["images"] for p in theirs] == [8, 16]
    assert ours[1]["loss"] != ours[0]["loss"]
    assert found.findings[0].value == ours[-1]["loss"] / theirs[-1]["loss"]
    assert all(len(s.values) == 2 and s.least > 0 for s in found.series)


@pytest.mark.slow
def test_the_command_writes_its_results(tmp_path):
    done = program("-m", "benchmarks", "sampling", "--quick", "--threads", "1", "--out", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    assert "# Sampling scenes-32" in done.stdout
    assert {p.name for p in (tmp_path / "r").iterdir()} == {"sampling.json", "sampling.md"}


def test_the_training_runs_for_a_gpu_are_ones(capsys):
    text = (ROOT / "benchmarks" / "GPU.md").read_text("utf-8").replace("\\\n", " ")
    commands = re.findall(r"python3 -m lodestar (train --.*)", text)
    for command in commands:
        words = re.sub(r"\$\(.*\)", "--resume", command).split()
        assert main([*words, "--dry-run"]) == 0, capsys.readouterr().err
    assert len(commands) == 4


@pytest.mark.parametrize("study", ["strength", "dropout", "steps"])
def test_the_studies_for_a_gpu_are_ones(study, capsys):
    text = (ROOT / "benchmarks" / "GPU.md").read_text("utf-8").replace("\\\n", " ")
    [command] = re.findall(r"python3 -m lodestar (study .*)", text)
    assert main([*command.replace("$WHAT", study).split(), "--dry-run"]) == 0, capsys.readouterr().err


def program(*words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
