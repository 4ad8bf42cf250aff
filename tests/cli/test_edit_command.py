"""`lodestar edit`: a picture in, a picture out; what is said on the way, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lodestar import read_recipe
from lodestar.cli import main
from lodestar.conditions import ImageSchema, JointSchema
from lodestar.data.scenes.render import render
from lodestar.data.scenes.triples import triples
from lodestar.generate import sample as honest
from lodestar.pictures import picture, read_picture
from tiny import TEXT, tiny

GREEN = "make the circle green"
TABLE = {"text": 0.05, "image": 0.05, "text+image": 0.05}


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    """The folder of a model with random weights: 16x16 pixels, 2 steps."""
    folder = tmp_path_factory.mktemp("models") / "editor"
    card = {"steps": 2, "guidance": "edit(3, image=1.5)"}
    tokenizer = TEXT.tokenizer.having_read([GREEN])
    text = type(TEXT)(length=16, tokenizer=tokenizer)
    tiny(JointSchema({"text": text, "image": ImageSchema((3, 16, 16))}, TABLE), shape=(3, 16, 16), card=card).save(
        folder
    )
    return folder


@pytest.fixture
def edit(editor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (16, 16), (200, 30, 30)).save("in.png")

    def run(*args):
        return main(["edit", "--model", str(editor), *map(str, args)])

    return run


def left():
    return sorted(str(p) for p in Path().rglob("*") if p.is_file())


def test_a_picture_comes_out_with_its_recipe_and_a_table(edit, capsys):
    assert edit("in.png", GREEN, "--guidance", "edit(text=5, image=1.5)", "--out", "out.png", "--json", "out.json") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "picture: out.png"
    assert [word for word in ("edit(5, image=1.5)", "evaluations", "seconds") if word not in out] == []
    with Image.open("out.png") as made:
        assert made.size == (16, 16)
    recipe, results = read_recipe("out.png"), json.loads(Path("out.json").read_text())
    assert recipe["prompts"][0]["text"] == GREEN
    assert recipe["picture"] == {"file": "in.png", "changed": []}
    assert (results["evaluations"], results["seeds"], results["guidance"]) == (2 * 3, [0], "edit(5, image=1.5)")
    assert left() == ["in.png", "out.json", "out.png"]


def test_the_models_own_guidance_and_a_seed(edit):
    assert edit("in.png", GREEN, "--seed", 3) == 0
    assert read_recipe("edited.png")["guidance"] == "edit(3, image=1.5)"
    assert read_recipe("edited.png")["seeds"] == [3]


def test_several_come_as_a_strip_after_the_one_that_was_edited(edit):
    assert edit("in.png", GREEN, "--n", 3, "--out", "three.png") == 0
    assert edit("in.png", GREEN, "--strip", "--out", "one.png") == 0
    for name, count in (("three.png", 4), ("one.png", 2)):
        with Image.open(name) as strip:
            assert strip.width >= count * 96
            assert strip.crop((10, strip.height - 106, 106, strip.height - 10)).getcolors() == [
                (96 * 96, (200, 30, 30))
            ]


def test_how_a_picture_was_brought_to_size_is_said(edit, capsys):
    Image.new("L", (40, 20)).save("large.png")
    assert edit("large.png", GREEN) == 0
    said = capsys.readouterr().err
    assert said.startswith("lodestar: note: large.png: ")
    assert "grey made RGB" in said
    assert said.endswith("edited at 16x16 pixels\n")
    assert read_recipe("edited.png")["picture"]["changed"] == ["grey", "resized"]


def test_accuracy_is_told_where_the_reader_can_judge(edit, tmp_path, capsys, monkeypatch):
    """With a model that draws what it is told, the edit is right."""
    i = next(i for i, c in enumerate(triples(40).changes) if c.kind == "recolour")
    one, size = triples(1, start=i), ImageSchema((3, 32, 32))
    before, after = (torch.from_numpy(render(s, 32))[0].movedim(0, -1) for s in (one.before, one.after))
    picture(before).save("scene.png")
    tiny(JointSchema({"text": TEXT, "image": size}, TABLE), shape=(3, 32, 32), card={"steps": 1}).save("m")

    def draws(model, prompts, **options):
        done = honest(model, prompts, **options)
        return replace(done, images=after.expand_as(done.images))

    monkeypatch.setattr("lodestar.systems.editing.sample", draws)
    assert main(["edit", "scene.png", str(one.changes[0]), "--model", "m", "--json", "out.json"]) == 0
    assert "edit accuracy" in capsys.readouterr().out
    assert json.loads(Path("out.json").read_text())["edit_accuracy"] == 1
    assert torch.equal(read_picture("edited.png", 3), after)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), 'give a picture and an instruction, as: lodestar edit in.png "make the circle green"'),
        (("in.png",), "give a picture and an instruction"),
        (("in.png", " "), "the instruction is empty: say what to change"),
        (("none.png", GREEN), "there is no file none.png"),
        ((".", GREEN), "there is no file ."),
        (("text.png", GREEN), "text.png is no picture: no image format that Pillow knows"),
        (("in.png", GREEN, "--n", 0), "--n must be a whole number of at least 1, got 0"),
        (("in.png", GREEN, "--guidance", "edot(3)"), "unknown rule 'edot': did you mean 'edit'?"),
        (("in.png", GREEN, "--guidance", ""), "--guidance is empty"),
        (("in.png", GREEN, "--sampler", "dimm"), "unknown sampler 'dimm'"),
        (("in.png", GREEN, "--out", "out.jpg"), "--out out.jpg must end in .png"),
        (("in.png", GREEN, "--out", "a.png", "--json", "a.png"), "--json a.png is where the picture goes"),
        (("in.png", GREEN, "--out", "./in.png"), "--out in.png is what is read, and would be lost: give another file"),
        (("in.png", GREEN, "--json", "in.png"), "--json in.png is what is read, and would be lost"),
        (("in.png", GREEN, "more"), "unexpected 'more': put a text of several words in quotes"),
        (("in.png", GREEN, "--negative", "x"), "unknown option '--negative'"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(edit, capsys, monkeypatch, args, said):
    Path("text.png").write_text("no picture")
    monkeypatch.setattr("lodestar.job.Job.run", None)  # sampling would fail
    assert edit(*args) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lodestar: error: {said}")
    assert err.count("\n") == 1
    assert left() == ["in.png", "text.png"]


def test_a_model_without_a_picture_to_read_is_refused(tiny_model, edit, capsys):
    assert main(["edit", "in.png", GREEN, "--model", str(tiny_model)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("lodestar: error: model 'tiny' cannot edit: it is not conditioned on a text and a picture")
    assert err.count("\n") == 1


def test_a_configuration_comes_back_the_same(edit, capsys):
    assert edit("in.png", GREEN, "--n", 2, "--dry-run") == 0
    first = capsys.readouterr().out
    Path("c.json").write_text(first)
    assert (json.loads(first)["guidance"], json.loads(first)["steps"]) == ("edit(3, image=1.5)", 2)
    assert main(["edit", "--config", "c.json", "--dry-run"]) == 0
    assert capsys.readouterr().out == first
    assert left() == ["c.json", "in.png"]
    assert main(["edit", "--config", "c.json", "--out", "out.png"]) == 0
    assert edit("in.png", GREEN, "--n", 2, "--out", "direct.png") == 0
    assert torch.equal(read_picture("out.png", 3), read_picture("direct.png", 3))


def test_an_instruction_with_new_words_is_answered_with_a_warning(edit, capsys):
    assert edit("in.png", "make the owl green") == 0
    assert "lodestar: warning: the model never saw in training: owl" in capsys.readouterr().err


def test_a_prompt_alone_is_refused_by_a_model_that_edits(editor, capsys):
    for asked in (["make it red"], ["make it red", "--dry-run"]):
        assert main(["sample", *asked, "--model", str(editor)]) == 2
        assert "told text and image, and a prompt here is one text: lodestar edit gives" in capsys.readouterr().err
