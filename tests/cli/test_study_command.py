"""`lodestar study --quick`: from nothing to a page, and what is not done twice."""

import json
import shutil
from pathlib import Path

import pytest

from judges import classifier
from lodestar.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:the model never saw", "ignore:100 pictures", "ignore:the reference")


THREE = ("--scales", "1", "2", "5")


def run(folder: Path, what: str, *args: object) -> int:
    """A quick study with a tiny detector of scenes; its exit code."""
    options = ["--quick", "--detector", folder / "detector", "--out", folder / "study", "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LODESTAR_CACHE", str(folder / "cache"))
        return main(["study", what, *map(str, [*options, *args])])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that went through."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("study")
    classifier(name="tiny").save(folder / "detector")
    assert run(folder, "strength", *THREE, "--json", folder / "out.json") == 0
    return folder


@pytest.fixture
def there(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to go on with."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_a_study_from_nothing_to_a_page(finished: Path) -> None:
    folder = finished / "study"
    assert {"p0.1", "p0.1.jsonl", "strength.md", "strength.png"} == {path.name for path in folder.iterdir()}
    told = json.loads((finished / "out.json").read_text())
    assert {v["verdict"] for v in told["verdicts"]} <= {"confirmed", "refuted", "undecided"}
    assert any("Frechet" in v["claim"] for v in told["verdicts"])
    assert told["config"]["data"] == "scenes"
    assert "FD-tiny" in (folder / "strength.md").read_text()


def test_what_is_handed_on_names_no_folder_of_the_machine(finished: Path) -> None:
    text = (finished / "study" / "strength.md").read_text()
    assert str(finished) not in text
    assert '"out": "study"' in text
    assert str(finished).encode() not in (finished / "study" / "strength.png").read_bytes()
    card = (finished / "study" / "p0.1" / "model" / "config.json").read_text()
    assert "lodestar study strength --out study" in card
    assert str(finished) not in card


def test_finished_models_and_points_are_not_made_again(there: Path, capsys) -> None:
    folder = there / "study"
    before = {path: path.stat().st_mtime_ns for path in (folder / "p0.1").rglob("*") if path.is_file()}
    lines, text = (folder / "p0.1.jsonl").read_bytes(), (folder / "strength.md").read_text()
    (folder / "strength.md").unlink()
    assert run(there, "strength", *THREE) == 0
    out, err = capsys.readouterr()
    assert "training" not in err
    assert "verdict" in out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (folder / "p0.1.jsonl").read_bytes() == lines
    assert (folder / "strength.md").read_text().split("## How")[0] == text.split("## How")[0]


def test_a_model_that_was_stopped_is_trained_to_its_end(there: Path, capsys) -> None:
    shutil.rmtree(there / "study" / "p0.1" / "model")  # as after a kill between the last step and the model
    assert run(there, "strength", *THREE) == 0
    assert "training" in capsys.readouterr().err
    assert (there / "study" / "p0.1" / "model" / "config.json").is_file()


def test_a_model_of_another_kind_is_not_taken_for_the_study_s(there: Path, capsys) -> None:
    (there / "study" / "p0.1").rename(there / "study" / "p0.2")
    assert run(there, "strength", *THREE, "--drops", 0.2) == 2
    assert "another drop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["steps", "--drops", "0.1", "0.2"], "takes 1 of --drops"),
        (["strength", "--preset", "cifar10"], "needs --data"),
        (["strength", "--preset", "clip-scenes"], "no preset of a model that draws"),
        (["strength", "--scales", "2", "3", "4"], "begins without guidance"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(tmp_path: Path, capsys, args, says) -> None:
    assert run(tmp_path, *args) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_a_dry_run_prints_the_whole_study(tmp_path: Path, capsys) -> None:
    assert run(tmp_path, "steps", "--dry-run") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == [1, 2]
    assert told["scales"] == [1.0, 1.3, 3.0]
    assert told["data"] == "scenes"
    assert told["n"] == 40
