"""`lodestar sample`: pictures, tables, JSON, and what is refused before anything runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from judges import classifier, clip
from lodestar import read_recipe
from lodestar.cli import main
from lodestar.data.scenes.answers import SCHEMA
from lodestar.data.scenes.source import ScenesSource
from lodestar.generate import sample as honest
from tiny import LABEL, tiny

PROMPT, STAR = "a red circle above a blue square", "a green star"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def results(path="out.json"):
    return json.loads(Path(path).read_text())


def left():
    """The files that are there."""
    return sorted(str(p) for p in Path().rglob("*") if p.is_file())


def test_a_prompt_gives_a_picture_with_its_recipe_and_a_table(sample, capsys):
    assert sample(PROMPT, "--guidance", "cfg(2)", "--out", "strip.png", "--json", "out.json") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "picture: strip.png"
    assert [word for word in ("cfg(2)", "prompt accuracy", "evaluations", "seconds") if word not in out] == []
    run = results()["runs"][0]
    assert (run["guidance"], run["evaluations"], run["evaluations_per_image"]) == ("cfg(2)", 2 * 2 * 3, 6)
    assert read_recipe("strip.png")["seeds"] == [0, 1]
    assert left() == ["out.json", "strip.png"]


def test_scales_share_seeds_and_give_one_picture_with_a_row_for_each(sample, capsys):
    assert sample(PROMPT, "--scales", 0, 1, 4, "--out", "strip.png", "--json", "out.json") == 0
    runs = results()["runs"]
    assert [(r["scale"], r["w"], r["evaluations_per_image"]) for r in runs] == [(0, -1, 3), (1, 0, 3), (4, 3, 6)]
    assert read_recipe("strip.png")["guidance"] == ["cfg(0)", "cfg(1)", "cfg(4)"]
    assert sample(PROMPT, "--scales", 1, "--out", "one.png") == 0
    assert Image.open("strip.png").height > 2 * Image.open("one.png").height
    assert "scale" in capsys.readouterr().out


def test_scales_take_the_rule_in_guidance(sample):
    assert sample(PROMPT, "--guidance", "rescale(cfg(9), phi=.5)", "--scales", 2, 3, "--json", "out.json") == 0
    assert [r["guidance"] for r in results()["runs"]] == ["rescale(cfg(2), phi=0.5)", "rescale(cfg(3), phi=0.5)"]


def test_scales_with_a_negative_prompt_guide_away_from_it(sample):
    assert sample("a green star", "--negative", "a red circle", "--scales", 3, "--json", "out.json") == 0
    assert results()["runs"][0]["guidance"] == "negative(3)"


def test_accuracy_is_told_of_scenes_prompts_alone(sample, capsys):
    assert sample("a green star its friends", "--json", "out.json") == 0
    out, err = capsys.readouterr()
    assert "prompt accuracy" not in out
    assert "prompt_accuracy" not in results()["runs"][0]
    assert "lodestar: warning: the model never saw in training: its, friends\n" in err


def test_a_warning_comes_once_however_many_scales(sample, capsys):
    assert sample("a green friend", "--scales", 1, 2, 3) == 0
    assert capsys.readouterr().err.count("never saw") == 1


def test_accuracy_is_the_exact_readers(sample, monkeypatch):
    """With a model that draws what it is told, every image is right."""
    batch = ScenesSource(32).held_out(1)

    def draws(model, prompts, **others):
        done = honest(model, prompts, **others)
        return replace(done, images=batch.images.permute(0, 2, 3, 1).expand(len(done.seeds), -1, -1, -1))

    monkeypatch.setattr("lodestar.model.sample", draws)
    assert sample(batch.texts[0], "--json", "out.json") == 0
    assert results()["runs"][0]["prompt_accuracy"] == 1


@pytest.fixture
def judges(tmp_path):
    """Folders of a classifier and of a CLIP for pictures of the tiny model's size."""
    classifier(SCHEMA, shape=(3, 16, 16)).save(tmp_path / "judge")
    clip(shape=(3, 16, 16)).save(tmp_path / "clip")


def test_a_classifier_is_told_the_prompt(sample, judges, capsys):
    asked = ("--guidance", "classifier(cfg(1), strength=2)", "--gradient", "classifier=judge", "--json", "out.json")
    assert sample("a green star", *asked) == 0
    run = results()["runs"][0]
    assert (run["evaluations"], run["gradients"]) == (2 * 3, 2 * 3)
    heads, row, *_ = capsys.readouterr().out.splitlines()
    assert heads.split()[-3:-1] == ["evaluations", "gradients"]
    assert row.split()[-3:-1] == ["6", "6"]
    assert read_recipe("sample.png")["gradients"] == {"classifier": "judge"}
    Path("c.json").write_text(json.dumps(results()["config"]))
    assert main(["sample", "--config", "c.json", "--json", "again.json"]) == 0
    assert results("again.json")["runs"][0]["gradients"] == 2 * 3


def test_clip_is_told_what_to_pull_towards_and_away_from(sample, judges):
    asked = ("--guidance", "clip(cfg(1), strength=1)", "--gradient", "clip=clip", "--towards", "a red circle")
    assert sample("a circle", *asked, "--away", "a blue circle") == 0
    assert read_recipe("sample.png")["gradients"] == {"clip": "judge towards 'a red circle', away from 'a blue circle'"}
    assert sample("--unconditional", *asked, "--out", "free.png") == 0


def test_several_gradients_have_a_name_each(sample, judges):
    rule = "clip(classifier(cfg(1), strength=1), strength=1)"
    given = ("--gradient", "classifier=judge", "--gradient", "clip=clip")
    assert sample("a green star", "--guidance", rule, *given, "--json", "out.json") == 0
    assert results()["runs"][0]["gradients"] == 2 * 2 * 3


def test_a_gradient_may_be_of_no_strength(sample, judges, capsys):
    asked = ("--guidance", "classifier(cfg(1), strength=0)", "--gradient", "classifier=judge")
    assert sample("a green star", *asked, "--json", "out.json") == 0
    assert "gradients" not in results()["runs"][0]
    assert "lodestar: " not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--gradient", "classifier"], "--gradient takes NAME=FOLDER, got 'classifier'"),
        (["--gradient", "=judge"], "--gradient takes NAME=FOLDER"),
        (["--gradient", "a=judge", "--gradient", "a=clip"], "--gradient gives 'a' twice"),
        (["--gradient", "classifier=nowhere"], "unknown model 'nowhere'"),
        (["--gradient", "classifier=scenes-32"], "a gradient is of one that tells them apart"),
        (["--towards", "a red circle"], "--towards is for what pulls: give --gradient"),
        (["--gradient", "clip=clip", "--away", "a red circle"], "--away says what --towards is to be more likely than"),
        (["--gradient", "classifier=judge"], "guidance cfg(1) reads the gradient named 'classifier' at no step: use"),
        (
            ["--guidance", "classifier(cfg(1))", "--gradient", "classifier=judge", "--gradient", "clip=clip"],
            "reads the gradient named 'clip' at no step: use a rule that does, such as clip(cfg(1), 2)",
        ),
        (["--model", "judge"], "judge is a classifier, which tells pictures apart and draws none"),
        (["--guidance", "classifier(cfg(1))"], "this guidance needs a gradient named 'classifier': pass gradients="),
        (
            ["--guidance", "classifier(cfg(1))", "--gradient", "classifier=judge", "--towards", "a cat"],
            "'a cat' is no caption of scenes",
        ),
        (
            ["--guidance", "classifier(cfg(1))", "--gradient", "classifier=small"],
            "classifier 'judge' and the model are of pictures of two sizes: 3x8x8 and 3x16x16",
        ),
    ],
    ids=str,
)
def test_mistakes_with_gradients_are_one_line_and_leave_nothing(sample, judges, capsys, args, said):
    classifier(SCHEMA).save("small")
    before = left()
    assert sample("a green star", *args) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert left() == before


@pytest.mark.parametrize("scale", ["4", "-1.5"])
def test_a_number_is_that_scale_of_cfg(sample, scale):
    assert sample(PROMPT, "--guidance", scale, "--json", "out.json") == 0
    assert results()["runs"][0]["guidance"] == f"cfg({scale})"
    assert sample("a green star", "--guidance", scale, "--negative", "a red circle", "--json", "out.json") == 0
    assert results()["runs"][0]["guidance"] == f"negative({scale})"


def test_a_grid_of_levels(sample):
    assert sample(PROMPT, "--grid", "lam", "--json", "out.json") == 0
    assert read_recipe("sample.png")["grid"] == results()["config"]["grid"] == "lam"


def test_classes_by_number(tmp_path, capsys):
    tiny(LABEL).save(tmp_path / "m")
    for prompt in ("owl", "2", "dog"):
        assert main(["sample", prompt, "--model", "m", "--n", "2", "--out", f"{prompt}.png"]) == 0
    by_name, by_number, other = (below_the_title(f"{prompt}.png") for prompt in ("owl", "2", "dog"))
    assert by_name == by_number != other
    assert main(["sample", "3", "--model", "m"]) == 2
    assert "a class is a name or a number from 0 to 2, got '3'" in capsys.readouterr().err


def below_the_title(path):
    picture = Image.open(path)
    return picture.crop((0, picture.height - 106, picture.width, picture.height)).tobytes()


def test_a_negative_prompt_without_effect_is_said(sample, capsys):
    assert sample("a green star", "--negative", "a red circle") == 0
    assert "lodestar: warning: guidance negative(1) leaves the negative prompt (--negative" in capsys.readouterr().err


def test_unconditional(sample):
    assert sample("--unconditional", "--json", "out.json") == 0
    assert results()["runs"][0]["evaluations_per_image"] == 3
    assert "sample.png" in left()


def test_a_file_of_prompts_gives_a_folder_and_an_index(sample, capsys):
    Path("prompts.txt").write_text(f"# mine\n{PROMPT}\n\n  a green star!  \n", encoding="utf-8")
    assert sample("--prompts", "prompts.txt", "--out", "all", "--guidance", "cfg([2, 1])") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "pictures: all, 2 of them"
    names = ["0001-a-red-circle-above-a-blue-square.png", "0002-a-green-star.png"]
    assert left() == [*(f"all/{n}" for n in names), "all/index.json", "prompts.txt"]
    index = results("all/index.json")
    assert [(p["prompt"], p["seeds"]) for p in index["pictures"]] == [(PROMPT, [0, 1]), ("a green star!", [0, 1])]
    assert read_recipe(f"all/{names[1]}")["prompts"] == ["a green star!"]


def test_a_prompt_gives_the_same_images_alone_and_in_a_file(sample):
    Path("prompts.txt").write_text(f"a green star\n{PROMPT}\n")
    assert sample("--prompts", "prompts.txt", "--out", "all", "--guidance", "cfg(2)") == 0
    assert sample(PROMPT, "--out", "one.png", "--guidance", "cfg(2)") == 0
    one, other = (Image.open(p).tobytes() for p in ("one.png", "all/0002-a-red-circle-above-a-blue-square.png"))
    assert one == other


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "give a prompt in quotes, or --unconditional"),
        (("",), "give a prompt in quotes, or --unconditional"),
        (("x", "--unconditional"), "give one of PROMPT, --prompts FILE and --unconditional"),
        (("x", "--n", 0), "--n must be a whole number of at least 1, got 0"),
        (("x", "--steps", 0), "--steps must be a whole number of at least 1, got 0"),
        (("x", "--scales", "nan"), "scale must be finite, got nan"),
        (("x", "--scales"), "--scales is empty: give the scales, as --scales 1 2 4"),
        (("--unconditional", "--scales", 0, 1), "--scales needs a prompt"),
        (("x", "--guidance", ""), "--guidance is empty: give one, or leave it out for the model's own"),
        (("x", "--sampler", " "), "--sampler is empty"),
        (("x", "--grid", ""), "--grid is empty"),
        (("x", "--grid", "lamb"), "unknown grid 'lamb': did you mean 'lam'?"),
        (("x", "--steps", 10**9), "steps must be at most 10000, got 1000000000"),
        (("x", "--n", 10**9), "n must be at most 1000000, got 1000000000"),
        ((STAR, "--negative", ""), "the negative prompt is empty: leave it out (--negative"),
        ((STAR, "--guidance", "negative(4)"), "guidance negative(4) needs a negative prompt: give one (--negative"),
        (
            (STAR, "--negative", "a red circle", "--guidance", "cfg(4)"),
            "guidance cfg(4) reads the negative prompt (--negative",
        ),
        (("x", "--guidance", "cfg(much)"), "scale must be finite, got 'much'"),
        (("x", "--guidance", "cfgg(4)"), "unknown rule 'cfgg': did you mean 'cfg'?"),
        (("x", "--guidance", "cfg(scal=4)"), "unknown field of cfg 'scal': did you mean 'scale'?"),
        (("x", "--sampler", "dddim"), "unknown sampler 'dddim': did you mean 'ddim'?"),
        (("x", "--model", "tinny"), "unknown model 'tinny'"),
        (("x", "--device", "teapot"), "device 'teapot' cannot be used"),
        (("--prompts", "none.txt"), "cannot read --prompts none.txt: No such file"),
        (("x", "--out", "strip.jpg"), "--out strip.jpg must end in .png"),
        (("x", "--out", "folder.png"), "cannot write folder.png: Is a directory"),
        (("x", "--out", "file/strip.png"), "cannot write file: Not a directory"),
        (("x", "--json", "folder.png"), "cannot write folder.png: Is a directory"),
        (("x", "--json", "/dev/null"), "cannot write /dev/null: it is no ordinary file"),
        (("x", "--json", "/proc/nothing/out.json"), "cannot write /proc/nothing"),
        (("--prompts", "file", "--out", "file"), "cannot write file: Not a directory"),
        (("--prompts", "file", "--out", "all.png"), "--out all.png is the name of a picture, and with --prompts it is"),
        (("x", "--out", "a.png", "--json", "./a.png"), "--json a.png is where the picture goes: give another file"),
        (("x", "--json", "sample.png"), "--json sample.png is where the picture goes: give another file"),
        (("--prompts", "file", "--out", "all", "--json", "all/0001-a-green-star.png"), "--json all/0001-a-gre"),
    ],
)
def test_mistakes_are_refused_before_anything_is_sampled(sample, capsys, monkeypatch, args, said):
    Path("folder.png").mkdir()
    Path("file").write_text("a green star")
    monkeypatch.setattr("lodestar.job.Job.run", None)  # sampling would fail
    assert sample(*args) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lodestar: error: {said}")
    assert err.count("\n") == 1
    assert left() == ["file"]


@pytest.mark.parametrize("args", [(PROMPT,), (PROMPT, "--scales", 1, 1e39), ("--prompts", "prompts.txt")])
def test_pictures_that_are_not_finite_are_not_written(sample, capsys, args):
    Path("prompts.txt").write_text("a green star\n")
    assert sample(*args, "--guidance", "cfg(1e39)", "--json", "out.json") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lodestar: error: sample 0 (seed 0) is not finite (inf or nan) under guidance cfg(1e+39)")
    assert err.count("\n") == 1
    assert left() == ["prompts.txt"]


@pytest.mark.parametrize("space", range(3))
def test_a_disk_that_fills_up_leaves_all_pictures_and_their_index_or_none(sample, capsys, monkeypatch, space):
    """Of two pictures and an index, as many as there is space for are on the disk when it is full."""
    Path("prompts.txt").write_text(f"a green star\n{PROMPT}\n")
    spaces = iter(range(space))

    def fsync(_):
        if next(spaces, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("lodestar.files.os.fsync", fsync)
    assert sample("--prompts", "prompts.txt", "--out", "all") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert left() == ["prompts.txt"]
    assert not Path("all").exists()


@pytest.mark.parametrize(
    ("args", "guidance"),
    [
        (("--negative", "a red circle"), "negative(1)"),
        (("--guidance", "4", "--negative", "a red circle"), "negative(4)"),
        (("--guidance", "4"), "cfg(4)"),
        (("--scales", 1, 2), "cfg(4)"),
        (("--scales", 1, 2, "--negative", "a red circle"), "negative(4)"),
        (("--scales", 1, 2, "--guidance", "interval(cfg)"), "interval(cfg(4), lo=0.28, hi=5.42)"),
    ],
)
def test_a_dry_run_says_the_guidance_that_will_run(sample, capsys, args, guidance):
    assert sample("a green star", *args, "--dry-run") == 0
    Path("c.json").write_text(capsys.readouterr().out)
    assert results("c.json")["guidance"] == guidance
    assert sample("a green star", *args, "--json", "direct.json") == 0
    assert main(["sample", "--config", "c.json", "--json", "configured.json"]) == 0
    direct, configured = ([r["guidance"] for r in results(f)["runs"]] for f in ("direct.json", "configured.json"))
    assert direct == configured
    assert len(direct) == (2 if "--scales" in args else 1)


def test_without_a_prompt_no_guidance_will_run_and_a_prompt_brings_the_models_back(sample, capsys):
    assert sample("--unconditional", "--dry-run") == 0
    Path("c.json").write_text(capsys.readouterr().out)
    assert results("c.json")["guidance"] is None
    assert main(["sample", "a green star", "--config", "c.json", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["guidance"] == "cfg(1)"


def test_a_dry_run_refuses_what_the_run_would(sample, capsys):
    for args in (("--steps", 10**9), ("--grid", "lamb"), ("--sampler", "dddim"), ("--guidance", "cgf")):
        assert sample("a green star", *args, "--dry-run") == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1


def test_a_picture_to_start_from_and_a_mask(sample):
    mask, picture = Image.new("L", (16, 16), "black"), Image.new("RGBA", (16, 16), (255, 0, 0, 255))
    mask.paste("white", (8, 0, 16, 16))
    mask.save("mask.png")
    picture.save("init.png")
    where = ("--init", "init.png", "--mask", "mask.png", "--out", "strip.png", "--json", "out.json")
    assert sample(STAR, *where) == 0
    assert results()["config"]["init"] == "init.png"
    assert read_recipe("strip.png")["strength"] == 1
    with Image.open("strip.png") as strip:
        reds = [count for count, colour in strip.getcolors(10**6) if colour == (255, 0, 0)]
    assert reds[0] >= 2 * 8 * 16 * 6**2  # the left half of both, every pixel enlarged six times


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--strength", 0.5), "--strength needs a picture to start from: give --init"),
        (("--mask", "mask.png"), "--mask needs a picture to start from: give --init"),
        (("--init", "none.png"), "there is no file none.png"),
        (("--init", "text.png"), "text.png is not a whole picture"),
        (("--init", "large.png"), "large.png is 8x9 pixels and model 'tiny' draws 16x16: resize it"),
    ],
)
def test_a_picture_that_cannot_be_started_from(sample, capsys, args, says):
    Path("text.png").write_text("no picture")
    Image.new("RGB", (8, 9)).save("large.png")
    assert sample(STAR, *args) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert left() == ["large.png", "text.png"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--out", "in.png"), "--out in.png is what is read, and would be lost: give another file"),
        (("--json", "in.png"), "--json in.png is what is read, and would be lost: give another file"),
    ],
)
@pytest.mark.parametrize("read", [("--init", "in.png"), ("--init", "other.png", "--mask", "in.png")], ids=str)
def test_what_is_read_is_not_written_over(sample, capsys, monkeypatch, args, says, read):
    monkeypatch.setattr("lodestar.job.Job.run", None)  # sampling would fail
    for name in ("in.png", "other.png"):
        Image.new("RGB", (16, 16)).save(name)
    before = Path("in.png").read_bytes()
    assert sample(STAR, *read, *args) == 2
    assert says in capsys.readouterr().err
    assert Path("in.png").read_bytes() == before


def test_a_full_disk_leaves_what_was_there(sample, capsys, monkeypatch):
    Path("strip.png").write_bytes(b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lodestar.files.os.fsync", full)
    assert sample("a green star", "--out", "strip.png", "--json", "out.json") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert left() == ["strip.png"]
    assert Path("strip.png").read_bytes() == b"before"


def test_each_image_is_saved_by_itself(sample, tmp_path):
    assert sample("a red circle", "--out", tmp_path / "s.png", "--pictures", tmp_path / "each") == 0
    first, second = sorted((tmp_path / "each").iterdir())
    assert [Image.open(path).size for path in (first, second)] == [(16, 16)] * 2
    assert read_recipe(second)["sample"] == {"index": 1, "prompt": "a red circle", "seed": 1}


def test_single_pictures_are_of_one_run(sample, tmp_path, capsys):
    options = ("--out", tmp_path / "s.png", "--pictures", tmp_path / "each")
    assert sample("a red circle", "--scales", 1, 2, *options) == 2
    assert "leave one of them out" in capsys.readouterr().err
    assert not (tmp_path / "each").exists()
    (tmp_path / "file").write_text("")
    assert sample("a red circle", "--out", tmp_path / "s.png", "--pictures", tmp_path / "file") == 2
    assert not (tmp_path / "s.png").exists()
