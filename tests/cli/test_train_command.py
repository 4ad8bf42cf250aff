"""`lodestar train`: presets and their options; one run of two steps."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from lodestar import read_recipe
from lodestar.cli import main
from lodestar.pictures import save_png
from lodestar.process import EDM, PROCESSES
from lodestar.train import PRESETS, Run

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
    changed = dry(capsys, "--config", "c.json", "--train.lr", "0.25", "--out", "other run")["plan"]["command"]
    assert changed == f"{first['plan']['command']} --train.lr 0.25 --out 'other run'"
    assert dry(capsys, "--config=c.json")["plan"]["command"] == first["plan"]["command"]
    other = dry(capsys, "--config", "c.json", "--preset", "images", "--data", "x")["plan"]
    assert (other["name"], other["resolution"]) == ("images", 64)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--out r", "train needs --preset, one of scenes-32, cifar10, images, edit-32, study-16, "),
        ("--preset scenes-31 --out r", "unknown preset 'scenes-31': did you mean 'scenes-32'?"),
        ("--preset scenes-32", "train needs --out"),
        ("--preset images --out r", "preset 'images' needs --data"),
        ("--preset images --out r --data nowhere", "there is no folder or file 'nowhere'"),
        ("--preset scenes-32 --out r --train.lrr 1", "unknown option '--train.lrr': did you mean '--train.lr'?"),
        ("--preset scenes-32 --out r --network.tower.vocab 9", "unknown option '--network.tower.vocab'"),
        ("--preset scenes-32 --out r --steps 1 --images 1", "give one of --steps and --images"),
        ("--preset scenes-32 --out r --train.lr 0", "lr must be more than 0"),
        ("--preset scenes-32 --out r --train.batch x", "--train.batch: expected a whole number, got 'x'"),
        ("--preset scenes-32 --out file/r", "cannot write file/r: Not a directory"),
        ("--preset scenes-32 --out r --resume", "there is no run to resume in r"),
        ("--preset scenes-32 --out r --init nowhere", "unknown model 'nowhere'"),
        ("--preset edit-32 --out r --drop x", "--drop: expected a number, got 'x'"),
        ("--preset edit-32 --out r --drop text=x", "--drop: expected a number, got 'x'"),
        ("--preset edit-32 --out r --drop text=.1,image", "a drop table takes NAME=FLOAT, got 'image'"),
        ("--preset edit-32 --out r --drop text=.1,text=.2", "a drop table gives 'text' twice: give it once"),
        ("--preset edit-32 --out r --drop sketch=.1", "unknown part 'sketch'"),
        ("--preset edit-32 --out r --data scenes", "preset 'edit-32' is conditioned on pictures beside the images and"),
        ("--preset images --out full --data nowhere", "full is not empty"),
        ("--preset images --out r --data nowhere --resume", "there is no run to resume in r"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(capsys, args, said):
    Path("file").write_text("")
    Path("full").mkdir()
    Path("full/file").touch()
    assert refused(capsys, args).startswith(said)
    assert not Path("r").exists()


def refused(capsys, args):
    """The one line that is said of a mistake."""
    assert main(["train", *args.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith("lodestar: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("lodestar: error: ")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--guidance cgf(2)", "sampling: unknown rule 'cgf': did you mean 'cfg'?"),
        ("--sampler dimm", "sampling: unknown sampler 'dimm': did you mean 'ddim'?"),
        ("--grid lamb", "sampling: unknown grid 'lamb': did you mean 'lam'?"),
        ("--kind eps", "sampling: a network of kind 'eps' says nothing at alpha = 0"),
        ("--process edmm", "unknown process 'edmm': did you mean 'edm'?"),
        ("--density normal", "unknown density 'normal': did you mean 'lognormal'?"),
        ("--process edm --process.shift 2", "unknown option '--process.shift'"),
        ("--process ddpm --process.steps 1", "DDPM needs a whole number of at least 2 steps"),
        ("--sampling-steps 0", "sampling: steps must be a whole number of at least 1, got 0"),
        ("--train.optimizer adam", "unknown optimizer 'adam': did you mean 'adamw'?"),
        ("--resolution 30", "resolution 30 is no multiple of 4, which this network needs: choose 32"),
        ("--resolution 12", "scenes are 16 to 128 pixels a side, got 12"),
        ("--network.in-channels 1", "pictures have 3 channels and this network takes 1"),
        ("--workers -1", "workers must be at least 1, got -1"),
        ("--buffer -1", "buffer must be at least 1, got -1"),
        ("--held -1", "held must be at least 1, got -1"),
        ("--memory -1", "memory must be at least 0, got -1"),
        ("--size huge", "unknown size 'huge': there are large, medium, small"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_a_dry_run_too(capsys, args, said):
    for more in ("", " --dry-run"):
        assert refused(capsys, f"--preset scenes-32 --out r {args}{more}").startswith(said)
    assert not Path("r").exists()


def test_a_size_is_of_the_network_and_single_options_win(capsys):
    def network(*args):
        return dry(capsys, *args)["plan"]["network"]

    preset = ("--preset", "scenes-32", "--out", "r")
    plain, large = network(*preset), network(*preset, "--size", "large")
    assert (large["channels"], large["blocks"], large["vector"]) == ([128, 256, 448], 3, 512)
    assert large["tower"] == plain["tower"]
    Path("c.json").write_text(json.dumps(dry(capsys, *preset, "--size", "large", "--network.blocks", "1")))
    assert network("--config", "c.json") == {**large, "blocks": 1}
    assert network("--config", "c.json", "--size", "medium") == network(*preset, "--size", "medium")
    Path("c.json").write_text('{"command": "train", "preset": "scenes-32", "out": "r", "size": "large"}')
    assert network("--config", "c.json") == large


def test_a_drop_table_is_an_option(capsys):
    edit = ("--preset", "edit-32", "--out", "r")
    assert dry(capsys, *edit)["plan"]["drop"] == {"text": 0.05, "image": 0.05, "text+image": 0.05}
    first = dry(capsys, *edit, "--drop", "text=.1, text+image=.2")
    assert first["plan"]["drop"] == {"text": 0.1, "text+image": 0.2}
    Path("c.json").write_text(json.dumps(first))
    assert dry(capsys, "--config", "c.json") == first
    assert dry(capsys, "--config", "c.json", "--drop", ".3")["plan"]["drop"] == 0.3
    assert dry(capsys, "--preset", "scenes-32", "--out", "r")["plan"]["drop"] == 0.1


def test_columns_of_what_stands_beside_are_options(capsys):
    args = ("--preset", "images", "--data", "x", "--out", "r", "--condition", "text+image+vector")
    found = dry(capsys, *args, "--before-column", "input_image", "--vector-column", "pose")
    assert (found["reading"]["before_column"], found["reading"]["vector_column"]) == ("input_image", "pose")
    assert found["plan"]["condition"] == "text+image+vector"


def test_an_editor_is_trained_and_edits(capsys):
    """On the embedded edits, and resumed by its folder; what it has learnt in three steps is not the point."""
    small = [word for word in TINY if word not in ("--preset", "scenes-32")]
    assert main(["train", "--preset", "edit-32", *small, "--out", "r", "--train.sample-every", "2"]) == 0
    logged = [json.loads(line) for line in Path("r/log.jsonl").read_text().splitlines()]
    assert [line["measured"]["edit_accuracy"] for line in logged if "measured" in line] == [0]
    assert Path("r/samples/step-00000002.png").is_file()
    assert main(["train", "--out", "r", "--resume", "--steps", "3", "--train.sample-every", "0"]) == 0
    capsys.readouterr()
    assert main(["info", "r/model"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("text+image 0.05", "shape (3, 16, 16)", "edits"))
    save_png(Image.new("RGB", (40, 40), (160, 160, 160)), "in.png")
    asked = ("in.png", "make the circle green", "--model", "r/model", "--guidance", "edit(text=5, image=1.5)")
    assert main(["edit", *asked, "--out", "out.png"]) == 0
    assert "resized" in read_recipe("out.png")["picture"]["changed"]


def test_every_process_and_density_can_be_chosen_and_its_numbers_given(capsys):
    preset = ("--preset", "scenes-32", "--out", "r")
    plain = dry(capsys, *preset)
    assert (plain["process"], plain["density"]) == ("flow", "logitnormal")
    edm = dry(capsys, *preset, "--process", "edm", "--process.rho", "5", "--density", "lognormal")
    assert (edm["process"], edm["density"]) == ("edm", "lognormal")
    assert edm["plan"]["process"] == {"sigma_min": 0.002, "sigma_max": 80.0, "rho": 5.0}
    assert edm["plan"]["density"] == {"mean": -1.2, "std": 1.2}
    for process in PROCESSES.values():
        name = process.__name__
        assert dry(capsys, *preset, "--process", name.lower())["plan"]["process"] == asdict(process()), name
    assert dry(capsys, *preset, "--density", "uniform")["plan"]["density"] == {}


def test_a_preset_keeps_its_numbers_where_its_own_process_or_density_is_named(capsys):
    own = dry(capsys, "--preset", "scenes-32", "--out", "r", "--density", "logitnormal")["plan"]["density"]
    assert own == asdict(PRESETS["scenes-32"].density)


def test_a_configuration_knows_its_process_and_another_leaves_nothing_of_it(capsys):
    args = ("--process", "cosine", "--process.lam-min", "-15", "--density", "uniform")
    first = dry(capsys, "--preset", "scenes-32", "--out", "r", *args)
    Path("c.json").write_text(json.dumps(first))
    assert dry(capsys, "--config", "c.json") == first
    assert dry(capsys, "--config", "c.json", "--process", "cosine")["plan"]["process"] == first["plan"]["process"]
    assert dry(capsys, "--config", "c.json", "--process.lam-max", "9")["plan"]["process"]["lam_max"] == 9
    other = dry(capsys, "--config", "c.json", "--process", "edm")
    assert other["plan"]["process"] == asdict(EDM())
    assert other["plan"]["density"] == {}
    images = dry(capsys, "--config", "c.json", "--preset", "images", "--data", "x")
    assert (images["process"], images["density"]) == ("flow", "logitnormal")
    del first["process"], first["density"], first["plan"]["process"], first["plan"]["density"]
    Path("c.json").write_text(json.dumps(first))
    assert dry(capsys, "--config", "c.json")["process"] == "flow"


def test_the_help_shows_the_numbers_of_the_process_that_is_named(capsys):
    def shown(*args):
        assert main(["train", "--preset", "scenes-32", *args, "--help"]) == 0
        return capsys.readouterr().out

    assert "--process {cosine,ddpm,edm,flow}" in shown()
    assert "--process.shift" in shown()
    assert "--process.sigma-max" not in shown()
    assert "--process.sigma-max" in shown("--process", "edm")


def test_every_option_of_the_help_is_in_the_configuration(capsys):
    from lodestar.cli.parse import options
    from lodestar.cli.train import Train

    def names(data, prefix=""):
        for name, value in data.items():
            inner = {"plan": "", "reading": ""}.get(name, f"{prefix}{name}.")
            yield from names(value, inner) if isinstance(value, dict) and value else [f"--{prefix}{name}"]

    shown = {name.replace("-", "_").replace("__", "--", 1) for name in options(Train) if ".no-" not in name}
    shown = {name for name in shown if not name.startswith(("--no_", "--help", "--preset_"))}
    held = set(names(dry(capsys, "--preset", "scenes-32", "--out", "r")))
    assert shown ^ held == {"--config", "--json", "--dry_run", "--sampling_steps", "--command", "--measured"}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_presets_command_is_one(capsys, name):
    found = dry(capsys, *PRESETS[name].command.split()[2:])
    assert found["reading"]["flip"] == name.endswith("cifar10")
    assert found["plan"]["train"] == json.loads(json.dumps(asdict(PRESETS[name].train)))


def test_a_run_resumes_and_its_model_samples(capsys):
    assert main(["train", *TINY, "--out", "r", "--half", "--json", "out.json"]) == 0
    size = Path("r/model/model.safetensors").stat().st_size
    results = json.loads(Path("out.json").read_text())
    assert (results["steps"], results["stopped"], results["model"]) == (2, None, "r/model")
    assert main(["train", *TINY, "--out", "r", "--resume", "--steps", "3"]) == 0
    assert Path("r/model/model.safetensors").stat().st_size > 1.5 * size
    recipe = json.loads(Path("r/model/config.json").read_text())["card"]["recipe"]
    assert recipe["command"].startswith("lodestar train --preset scenes-32")
    assert main(["sample", "a red circle", "--model", "r/model", "--n", "1", "--out", "x.png"]) == 0
    assert Path("x.png").is_file()


JUDGE = """
    --resolution 16 --steps 2 --train.batch 4 --train.validate-images 8 --train.warmup 0 --train.precision fp32
    --network.image.channels 8 16 --network.image.patch 1 --network.image.head 8 --network.image.vector 16 --device cpu
    --quiet
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", ["classifier-scenes", "clip-scenes"])
def test_what_tells_pictures_apart_is_trained_by_a_preset_too(capsys, name):
    tower = "--vocab 300 --network.tower.dim 16 --network.tower.head 8 --network.features 8".split()  # noqa: SIM905
    args = ["--preset", name, *JUDGE, *(tower if name == "clip-scenes" else [])]
    assert main(["train", *args, "--out", "r", "--half", "--json", "out.json"]) == 0
    assert json.loads(Path("out.json").read_text())["model"] == "r/model"
    assert main(["train", "--out", "r", "--resume", "--steps", "3", "--quiet"]) == 0
    assert main(["info", "r/model"]) == 0
    assert name in capsys.readouterr().out
    log = [json.loads(line) for line in Path("r/log.jsonl").read_text().splitlines()]
    assert 0 <= log[-1]["validation"]["accuracy"] <= 1
    first = dry(capsys, *args, "--out", "s", "--network.image.clean")
    assert first["plan"]["network"]["image"]["clean"]
    Path("c.json").write_text(json.dumps(first))
    assert dry(capsys, "--config", "c.json") == first
    assert not first["plan"]["train"]["early"]
    image = dry(capsys, "--config", "c.json", "--size", "large")["plan"]["network"]["image"]
    assert (image["channels"], image["clean"], image["patch"]) == ([96, 192], True, 1)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--preset classifier-scenes --out r --guidance cfg(2)", "unknown option '--guidance'"),
        ("--preset classifier-scenes --out r --kind eps", "unknown option '--kind'"),
        ("--preset classifier-cifar10 --out r", "preset 'classifier-cifar10' needs --data"),
        ("--preset classifier-scenes --out r --resolution 30", "resolution 30 is no multiple of 4"),
        ("--preset clip-scenes --out r --train.batch 1", "CLIP learns by contrast"),
        ("--preset classifier-scenes --out r --init scenes-32", "scenes-32 is a model that draws pictures"),
    ],
)
def test_mistakes_with_them_are_one_line(capsys, args, said):
    assert said in refused(capsys, args)
    assert not Path("r").exists()


def test_a_run_is_resumed_by_its_folder_alone(capsys):
    small = [*TINY, "--half", "--json", "out.json"]
    assert main(["train", *small, "--out", "r", "--steps", "1"]) == 0
    Path("out.json").unlink()
    assert main(["train", "--out", "r", "--resume", "--images", "8"]) == 0
    assert not Path("out.json").exists()  # where results go is asked for each time
    recipe = json.loads(Path("r/model/config.json").read_text())["card"]["recipe"]
    assert recipe["images"] == 8
    start, _, then = recipe["command"].partition(" && ")
    assert start.startswith("lodestar train --preset scenes-32 --resolution 16")
    assert then == "lodestar train --out r --resume --images 8"
    capsys.readouterr()
    again = dry(capsys, "--out", "r", "--resume", "--images", "8")
    assert (again["preset"], again["half"], again["plan"]["train"]["batch"]) == ("scenes-32", True, 4)
    for other in ("--train.batch 2", "--process edm", "--size large", "--resolution 32"):
        assert refused(capsys, f"--out r --resume --images 8 {other}").startswith("the run was started with another")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--resume", "train needs --out, the folder of the run"),
        ("--out r --resume", "there is no run to resume in r"),
        ("--out full --resume", "there is no run to resume in full"),
        ("--out damaged --resume", "damaged/config.json is damaged or not of a run"),
        ("--out other --resume", "train needs --preset"),
    ],
)
def test_what_cannot_be_resumed_by_its_folder_alone(capsys, args, said):
    for name, text in {"full/file": "", "damaged/config.json": "{", "other/config.json": of_python()}.items():
        Path(name).parent.mkdir()
        Path(name).write_text(text)
    assert refused(capsys, args).startswith(said)


def of_python():
    """A run that no command line started."""
    return json.dumps({"preset": {"train": {}, "command": "train(PRESET, source, out)"}, "source": {}, "init": None})


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_run_that_is_stopped_says_how_to_go_on(capsys, monkeypatch, signal, code):
    def stopped(*_, **__):
        return Run(None, Path("r"), 1, signal, {}, 1.0)

    monkeypatch.setattr("lodestar.train.train", stopped)
    assert main(["train", *TINY, "--out", "r"]) == code
    assert f"{signal} after 1 steps; --resume goes on from there" in capsys.readouterr().err
