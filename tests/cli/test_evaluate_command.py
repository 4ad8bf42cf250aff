"""`lodestar evaluate`: numbers, how they were measured, and errors in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from judges import classifier
from lodestar.cli import main
from lodestar.data.scenes.source import ScenesSource


@pytest.fixture
def evaluate(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `lodestar evaluate` with a tiny detector of scenes; gives the exit code."""
    monkeypatch.setenv("LODESTAR_CACHE", str(tmp_path / "cache"))
    classifier(name="tiny").save(tmp_path / "detector")

    def run(what: object = tiny_model, *args: object) -> int:
        options = ["--detector", tmp_path / "detector", "--reference", "scenes", "--reference-n", 60]
        return main(["evaluate", *map(str, [what, *options, *args])])

    return run


def drawn(folder: Path, n: int = 24, side: int = 16) -> Path:
    folder.mkdir(parents=True)
    for i, image in enumerate(ScenesSource(side).held_out(n).images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    return folder


@pytest.mark.filterwarnings("ignore:the model never saw")
def test_a_model_is_measured(evaluate, tmp_path: Path, tiny_model: Path, capsys) -> None:
    assert (
        evaluate(
            tiny_model, "--n", 20, "--each", 2, "--guidance", "cfg(2)", "--steps", 1, "--json", tmp_path / "out.json"
        )
        == 0
    )
    told = json.loads((tmp_path / "out.json").read_text())
    assert {"FD-tiny", "recall-tiny", "prompt accuracy", "diversity-tiny"} <= set(told["numbers"])
    protocol = told["protocol"]
    assert protocol["samples"] == 20
    assert protocol["detector"]["name"] == "tiny"
    assert protocol["reference"]["n"] == 60
    assert protocol["evaluations_per_image"] == 2
    assert protocol["steps"] == 1
    assert {"first_seed", "prompts", "sampler", "guidance", "versions"} <= set(protocol)
    out = capsys.readouterr()
    assert "FD-tiny" in out.out
    assert "evaluations_per_image" in out.out


@pytest.mark.filterwarnings("ignore:the model never saw")
def test_the_same_command_gives_the_same_numbers(evaluate, tmp_path: Path, tiny_model: Path) -> None:
    for name in ("a", "b"):
        assert evaluate(tiny_model, "--n", 20, "--steps", 1, "--json", tmp_path / name) == 0
    a, b = (json.loads((tmp_path / name).read_text())["numbers"] for name in ("a", "b"))
    assert a == b
    config = ["evaluate", "--config", str(tmp_path / "a"), "--json", str(tmp_path / "c")]
    assert main(config) == 0
    assert json.loads((tmp_path / "c").read_text())["numbers"] == a


def test_a_folder_and_an_archive_are_measured_alike(evaluate, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "samples")
    images = np.stack([np.array(Image.open(folder / f"{i}.png")) for i in range(24)])
    np.savez(tmp_path / "samples.npz", images)
    found = []
    for what in (folder, tmp_path / "samples.npz"):
        assert evaluate(what, "--json", tmp_path / "out.json") == 0
        found.append(json.loads((tmp_path / "out.json").read_text())["numbers"]["FD-tiny"]["value"])
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_real_pictures_are_nearer_than_noise(evaluate, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", noise)
    found = []
    for what in (drawn(tmp_path / "real"), tmp_path / "noise.npz"):
        evaluate(what, "--json", tmp_path / "out.json")
        found.append(json.loads((tmp_path / "out.json").read_text())["numbers"]["FD-tiny"]["value"])
    assert found[0] < found[1]


def test_few_samples_are_warned_of(evaluate, tmp_path: Path, capsys) -> None:
    np.savez(tmp_path / "few.npz", np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8))
    assert evaluate(tmp_path / "few.npz") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "20 samples for 16 features: a Frechet distance is far too large" in said


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((30, 16, 16, 3), np.float32), "holds floats"),
        (np.ones((30, 16, 16, 3), np.uint8), "no value above 1"),
        (np.zeros((5, 16, 16, 3), np.uint8) + 9, "too few to say anything"),
        (np.zeros((30, 16, 12, 3), np.uint8) + 9, "a reference is square"),
    ],
)
def test_archives_that_cannot_be_measured(evaluate, tmp_path: Path, capsys, array: np.ndarray, why: str) -> None:
    np.savez(tmp_path / "some.npz", array)
    assert evaluate(tmp_path / "some.npz") == 2
    error = capsys.readouterr().err
    assert why in " ".join(error.split())
    assert "Traceback" not in error


@pytest.mark.parametrize("data", [b"", b"PK nothing", b"\x93NUMPY"], ids=["empty", "damaged", "npy"])
def test_files_that_are_no_archives(evaluate, tmp_path: Path, capsys, data: bytes) -> None:
    (tmp_path / "some.npz").write_bytes(data)
    assert evaluate(tmp_path / "some.npz") == 2
    assert evaluate(drawn(tmp_path / "s"), "--reference", tmp_path / "some.npz") == 2
    assert capsys.readouterr().err.count("some.npz is no .npz file") == 2


def test_a_rule_that_is_none_is_told_before_the_reference_is_looked_at(evaluate, tmp_path: Path, tiny_model) -> None:
    assert evaluate(tiny_model, "--guidance", "cgf(2)") == 2
    assert not (tmp_path / "cache").exists()


def test_a_reference_of_other_pictures_is_refused(evaluate, tmp_path: Path, capsys) -> None:
    np.savez(tmp_path / "stats.npz", mu=np.zeros(7), sigma=np.eye(7))
    assert evaluate(drawn(tmp_path / "s"), "--reference", tmp_path / "stats.npz") == 2
    assert "another detector than 'tiny' of 16 columns" in " ".join(capsys.readouterr().err.split())


def test_a_reference_of_a_lower_resolution_is_refused(evaluate, tmp_path: Path, capsys) -> None:
    small, large = drawn(tmp_path / "small", 30), drawn(tmp_path / "large", side=32)
    assert evaluate(large, "--reference", small) == 2
    assert "smaller than the 32x32 pixels of what they are compared with" in " ".join(capsys.readouterr().err.split())
    assert not list((tmp_path / "cache").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--n", "19"], "--n 19 samples are too few"),
        (["--each", "0"], "--each must be at least 1"),
        (["--reference", "nowhere"], "there is no folder"),
        (["--detector", "nobody"], "nobody"),
        (["--guidance", "cgf(2)"], "cgf"),
        (["--n", "21", "--each", "2"], "whole number of prompts"),
    ],
)
def test_mistakes_are_told_in_one_line(evaluate, tiny_model: Path, capsys, args: list[str], why: str) -> None:
    assert evaluate(tiny_model, *args) == 2
    error = capsys.readouterr().err
    assert why in error
    assert error.count("error:") == 1


def test_sampling_options_are_refused_for_pictures(evaluate, tmp_path: Path, capsys) -> None:
    assert evaluate(drawn(tmp_path / "s"), "--guidance", "cfg(2)") == 2
    assert "--guidance is for a model" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert evaluate(tmp_path / "empty") == 2
    assert "holds no images" in capsys.readouterr().err


def test_an_unknown_name_is_a_model_that_is_not_there(evaluate, capsys) -> None:
    assert evaluate("scenes-23") == 2
    assert "scenes-32" in capsys.readouterr().err
