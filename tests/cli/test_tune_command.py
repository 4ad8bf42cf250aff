"""`lodestar tune`: a default that was found and confirmed is in the model's folder; a mistake is one line."""

import json
import shutil
from pathlib import Path

import pytest

from lodestar.cli import main
from lodestar.model import load
from lodestar.model_folder import SHIPPED, retell

pytestmark = pytest.mark.filterwarnings("ignore:the model never saw", "ignore:.*samples", "ignore:the reference")


@pytest.fixture
def model(tmp_path: Path, tiny_model: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def tune(beside: Path, model: Path):
    """Runs `lodestar tune` with a tiny detector of scenes on a copy of the tiny model; gives the exit code."""

    def run(*args: object) -> int:
        few = ["--n", 20, "--steps", 2, "--trials", 4, "--reference-n", 60, "--out", "out"]
        given = ["--detector", "detector", "--reference", "scenes", *few, *args]
        return main(["tune", *map(str, [model, *given])])

    return run


def lines(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if "error" in line]


def test_what_was_found_is_the_models_default(tune, model: Path, capsys) -> None:
    before = (model / "model.safetensors").read_bytes()
    retell(model, {"guidance": "cfg(14)"})  # far off
    assert tune("--minimize", "FD-tiny", "--json", "out.json") == 0
    told = json.loads(Path("out.json").read_text())
    assert told["written"]
    assert (model / "model.safetensors").read_bytes() == before
    loaded = load(model)
    assert loaded.defaults.guidance == told["best"]["guidance"] != "cfg(14)"
    assert loaded.defaults.steps == 2
    tuned = loaded.card["tuned"]
    assert tuned["goal"] == "the lowest FD"
    assert tuned["default"]["guidance"] == "cfg(14)"
    assert tuned["best"]["numbers"]["FD"]["value"] < tuned["default"]["numbers"]["FD"]["value"]
    assert tuned["protocol"]["samples"] == 20
    out = capsys.readouterr().out
    assert "FD-tiny" in out
    assert f"default of {model}/config.json" in out


def test_a_second_run_draws_nothing_and_finds_the_same(tune, model: Path, monkeypatch) -> None:
    assert tune("--minimize", "FD", "--keep", "--json", "a.json") == 0
    assert tune("--minimize", "FD", "--keep", "--json", "b.json") == 0
    a, b = (json.loads(Path(name).read_text()) for name in ("a.json", "b.json"))
    assert a["best"] == b["best"]
    assert not a["written"]
    assert "tuned" not in load(model).card
    assert len(Path("out/trials.jsonl").read_text().splitlines()) <= 5


def test_a_shipped_model_is_not_written(tmp_path: Path) -> None:
    name = next(p.parent for p in SHIPPED.glob("*/config.json"))
    before = (name / "config.json").read_bytes()
    from lodestar.errors import UsageError

    with pytest.raises(UsageError, match="is shipped and stays as it is"):
        retell(name, {"guidance": "cfg(2)"})
    assert (name / "config.json").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_left_whole(model: Path, monkeypatch) -> None:
    from lodestar.errors import UsageError

    before = (model / "config.json").read_bytes()
    (model / ".config.json.part").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        retell(model, {"guidance": "cfg(2)"})
    assert (model / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "say what is best: --minimize METRIC or --maximize METRIC"),
        (("--minimize", "FD", "--maximize", "recall"), "one of them"),
        (("--minimize", "fidd"), "there is no metric 'fidd'"),
        (("--minimize", "saturation"), "neither more nor less saturation is better"),
        (("--minimize", "recall"), "of recall higher is better: say --maximize 'recall'"),
        (("--minimize", "FD", "--where", "recall above 0.9"), "'recall above 0.9' is no bound"),
        (("--minimize", "FD", "--where", "recall >= much"), "'recall >= much' is no bound"),
        (("--minimize", "FD", "--where", "beauty >= 1"), "there is no metric 'beauty'"),
        (("--minimize", "FD", "--within", 0), "--within must be above 0"),
        (("--minimize", "FD", "--within", 1), "within 1 evaluations is too few for any of these rules: the cheapest"),
        (("--minimize", "FD", "--guidance", "cgf"), "unknown rule 'cgf': did you mean 'cfg'?"),
        (("--minimize", "FD", "--guidance", "auto"), "weak"),
        (("--minimize", "FD", "--fresh-seed", 5), "--fresh-seed 5 draws samples of the search again"),
        (("--minimize", "FD", "--trials", 0), "--trials must be at least 1"),
        (("--minimize", "FD", "--fresh-n", 5), "--fresh-n must be at least 20"),
        (("--minimize", "FD", "--fresh-n", 0), "--fresh-n must be at least 20"),
        (("--minimize", "FD", "--each", 2, "--fresh-n", 21), "--fresh-n must be at least 20, and a whole number of"),
        (("--minimize", "FD", "--try-steps", 1, 2), "--steps and --try-steps both say"),
        (("--minimize", "FD", "--try-steps", 0), "try_steps must be"),
        (("--minimize", "FD", "--json", "out/trials.jsonl"), "is where the trials go"),
    ],
    ids=lambda value: " ".join(map(str, value))[:30] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_written(tune, model: Path, capsys, args, message) -> None:
    before = (model / "config.json").read_bytes()
    assert tune(*args) == 2
    [line] = lines(capsys)
    assert message in line
    assert not Path("out").exists()
    assert (model / "config.json").read_bytes() == before


def test_a_model_that_cannot_be_written_is_told_of_before_anything_is_drawn(tune, model: Path, capsys) -> None:
    config = model / "config.json"
    config.rename(model / "real.json")
    config.symlink_to("real.json")
    assert tune("--minimize", "FD") == 2
    [line] = lines(capsys)
    assert "config.json: it is no ordinary file" in line
    assert not Path("out").exists()
    assert tune("--minimize", "FD", "--keep") == 0


def test_a_bound_on_what_is_not_measured_is_told_of(tune, capsys) -> None:
    assert tune("--minimize", "FD", "--where", "CLIP score >= 1") == 2
    [line] = lines(capsys)
    assert "'CLIP score' was not measured: there are FD" in line


def test_what_is_written_has_beaten_the_models_default_with_all_of_its_steps(tune, model: Path) -> None:
    retell(model, {"steps": 4})
    assert tune("--minimize", "FD", "--keep", "--json", "a.json") == 0
    told = json.loads(Path("a.json").read_text())
    assert (told["best"]["steps"], told["default"]["steps"]) == (2, 4)


def test_each_trial_is_told_of(tune, model: Path, capsys) -> None:
    retell(model, {"guidance": "cfg(14)"})
    assert tune("--minimize", "FD", "--keep") == 0
    out, err = capsys.readouterr()
    assert "tune: 1 of 4: cfg(3.87), 2 steps, FD " in err
    assert "tune: confirming 3 and the default with 20 fresh samples each" in err
    assert "not written: --keep" in out


def test_ctrl_c_keeps_what_was_measured(tune, model: Path, monkeypatch, capsys) -> None:
    from lodestar.measure.points import Points

    add, before = Points.add, (model / "config.json").read_bytes()

    def stopped(self, evaluation):
        if len(self) == 2:
            raise KeyboardInterrupt
        add(self, evaluation)

    monkeypatch.setattr(Points, "add", stopped)
    assert tune("--minimize", "FD") == 130
    monkeypatch.setattr(Points, "add", add)
    assert len(Points.read("out/trials.jsonl")) == 2
    assert (model / "config.json").read_bytes() == before


def test_a_bound_that_nothing_keeps_says_what_was_nearest(tune, capsys) -> None:
    assert tune("--minimize", "FD", "--where", "prompt accuracy >= 1.5") == 2
    [line] = lines(capsys)
    assert "no setting reaches the lowest FD with prompt accuracy >= 1.5: the nearest was cfg(" in line


def test_a_schedule_is_fitted_once_and_searched_with_the_rules(tune, capsys, monkeypatch) -> None:
    from lodestar.measure import consistency

    found = consistency.Fitted("cfg(2)", (0.1, 0.5, 0.9), (0.0, 1.5, 0.5))
    fits = []
    monkeypatch.setattr(consistency, "fitted", lambda model, source, n, **_: fits.append(n) or found)
    args = ("--minimize", "FD", "--keep", "--guidance", "cfg", "fitted", "--fit-n", 30, "--trials", 7)
    assert tune(*args) == 0
    assert tune(*args) == 0
    assert fits == [30]
    assert f"fitted: {found}" in capsys.readouterr().err
    tried = [json.loads(line)["setting"]["guidance"] for line in Path("out/trials.jsonl").read_text().splitlines()[1:]]
    assert str(found) in tried
    assert sum(text.startswith("schedule(cfg(") for text in tried) >= 3
    assert sum(text.startswith("cfg(") for text in tried) >= 3
    assert tune(*args, "--fit-n", 40) == 2
    assert "was fitted to another model, other pictures or another seed" in lines(capsys)[0]
    Path("out/fitted.json").write_text("{")
    assert tune(*args) == 2
    assert "fitted.json is damaged: remove it" in lines(capsys)[0]


def test_another_goal_needs_another_folder(tune, capsys) -> None:
    assert tune("--minimize", "FD") == 0
    assert tune("--maximize", "recall") == 2
    [line] = lines(capsys)
    assert "was measured otherwise" in line
