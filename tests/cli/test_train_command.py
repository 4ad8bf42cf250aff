"""`lodestar train`: presets and their options; one run of two steps."""

import json
from pathlib import Path

import pytest

from lodestar.cli import main

TINY = """
    --preset scenes-32 --resolution 16 --vocab 300 --steps 2 --train.batch 4 --train.validate-images 4 --train.warmup 0
    --train.precision fp32 --network.channels 8 16 --network.transformers 0 1 --network.patch 1 --network.head 8
    --network.vector 16 --network.tower.dim 16 --network.tower.head 8 --sampling-steps 1 --device cpu --quiet
""".split()  # noqa: SIM905  (an excerpt of a command line)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def dry(capsys, *args):
    assert main(["train", *args, "--dry-run"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_presets_own_fields_are_the_options(capsys):
    plan = dry(capsys, "--preset", "cifar10", "--data", "x", "--out", "r", "--train.lr", "0.5", "--drop", "0.2")["plan"]
    assert (plan["name"], plan["train"]["lr"], plan["drop"]) == ("cifar10", 0.5, 0.2)
    assert plan["train"]["images"] > 0
    assert plan["network"]["channels"] == [128, 192, 256]


def test_steps_and_images_stand_for_each_other(capsys):
    for name, other in (("steps", "images"), ("images", "steps")):
        train = dry(capsys, "--preset", "scenes-32", "--out", "r", f"--{name}", "7")["plan"]["train"]
        assert (train[name], train[other]) == (7, 0)


def test_a_configuration_comes_back_the_same(capsys):
    first = dry(capsys, *TINY, "--out", "r")
    assert first["data"] == "scenes"
    Path("c.json").write_text(json.dumps(first))
    assert dry(capsys, "--config", "c.json") == first
    assert dry(capsys, "--config", "c.json", "--train.lr", "0.25")["plan"]["train"]["lr"] == 0.25
    other = dry(capsys, "--config", "c.json", "--preset", "images", "--data", "x")["plan"]
    assert (other["name"], other["resolution"]) == ("images", 64)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--out r", "train needs --preset, one of scenes-32, cifar10, images"),
        ("--preset scenes-31 --out r", "unknown preset 'scenes-31': did you mean 'scenes-32'?"),
        ("--preset scenes-32", "train needs --out"),
        ("--preset images --out r", "preset 'images' needs --data"),
        ("--preset images --out r --data nowhere", "there is no folder or file 'nowhere'"),
        ("--preset scenes-32 --out r --train.lrr 1", "unknown option '--train.lrr': did you mean '--train.lr'?"),
        ("--preset scenes-32 --out r --steps 1 --images 1", "give one of --steps and --images"),
        ("--preset scenes-32 --out r --train.lr 0", "lr must be more than 0"),
        ("--preset scenes-32 --out r --train.batch x", "--train.batch: expected a whole number, got 'x'"),
        ("--preset scenes-32 --out file/r", "cannot write file/r: Not a directory"),
        ("--preset scenes-32 --out r --resume", "there is no run to resume in r"),
        ("--preset scenes-32 --out r --init nowhere", "unknown model 'nowhere'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(capsys, args, said):
    Path("file").write_text("")
    assert main(["train", *args.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lodestar: error: {said}")
    assert err.count("\n") == 1
    assert not Path("r").exists()


def test_a_run_resumes_and_its_model_samples(capsys):
    assert main(["train", *TINY, "--out", "r", "--json", "out.json"]) == 0
    results = json.loads(Path("out.json").read_text())
    assert (results["steps"], results["stopped"], results["model"]) == (2, None, "r/model")
    assert main(["train", *TINY, "--out", "r", "--resume", "--steps", "3"]) == 0
    recipe = json.loads(Path("r/model/config.json").read_text())["card"]["recipe"]
    assert recipe["command"].startswith("lodestar train --preset scenes-32")
    assert main(["sample", "a red circle", "--model", "r/model", "--n", "1", "--out", "x.png"]) == 0
    assert Path("x.png").is_file()


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_run_that_is_stopped_says_how_to_go_on(capsys, monkeypatch, signal, code):
    from lodestar.train import Run

    def stopped(*_, **__):
        return Run(None, Path("r"), 1, signal, {}, 1.0)

    monkeypatch.setattr("lodestar.train.train", stopped)
    assert main(["train", *TINY, "--out", "r"]) == code
    assert f"{signal} after 1 steps; --resume goes on from there" in capsys.readouterr().err
