"""Editing by instruction from Python."""

import pytest
import torch
from PIL import Image

import lodestar
from lodestar import UsageError
from lodestar.conditions import ImageSchema, JointSchema, LabelSchema
from lodestar.data.scenes.triples import triples
from lodestar.measure.edits import measure_edits
from lodestar.pictures import from_uint8
from lodestar.systems.editing import fitted, parts
from tiny import TEXT, tiny

TABLE = {"text": 0.05, "image": 0.05, "text+image": 0.05}
SCHEMA = JointSchema({"text": TEXT, "image": ImageSchema((3, 8, 8))}, TABLE)
MODEL = tiny(SCHEMA, card={"steps": 2, "guidance": "edit(3, image=1.5)"})
PIXELS = torch.arange(8 * 8 * 3, dtype=torch.uint8).reshape(8, 8, 3)
RED, STAR = "a red circle", "a green star"


def test_a_file_and_its_pixels_are_edited_alike(tmp_path):
    Image.fromarray(PIXELS.numpy()).save(tmp_path / "in.png")
    from_file, from_pixels = (lodestar.edit(MODEL, p, RED, n=2) for p in (tmp_path / "in.png", PIXELS))
    assert torch.equal(from_file.images, from_pixels.images)
    assert from_file.recipe == from_pixels.recipe
    assert from_file.evaluations == 2 * 3 * 2


def test_it_is_sampling_with_a_text_and_a_picture():
    prompt = {"text": RED, "image": from_uint8(PIXELS).movedim(-1, 0)}
    options = {"n": 2, "guidance": "edit(5, image=2)", "seed": 7, "sampler": "ddim"}
    assert torch.equal(lodestar.edit(MODEL, PIXELS, RED, **options).images, MODEL.sample(prompt, **options).images)


def test_several_instructions_each_change_the_same_picture():
    both = lodestar.edit(MODEL, PIXELS, [RED, STAR])
    assert [p["text"] for p in both.prompts] == [RED, STAR]
    one = lodestar.edit(MODEL, PIXELS, STAR)
    assert ((both.images[1].int() - one.images[0].int()).abs() <= 1).all()


def test_a_picture_is_brought_to_the_models_size_and_colours(tmp_path):
    Image.new("LA", (30, 20), (0, 0)).save(tmp_path / "in.png")
    read = fitted(MODEL, tmp_path / "in.png")
    assert read.pixels.shape == (3, 8, 8)
    assert (read.pixels == 255).all()  # what is transparent is white
    assert set(read.notes) == {"grey", "alpha", "resized"}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (TEXT, "model 'tiny' cannot edit: it is not conditioned on a text and a picture"),
        (None, "model 'tiny' cannot edit"),
        (JointSchema({"text": TEXT, "label": LabelSchema(("a",))}), "model 'tiny' cannot edit"),
        (JointSchema({"text": TEXT, "a": ImageSchema((3, 8, 8)), "b": ImageSchema((3, 8, 8))}), "cannot edit"),
    ],
)
def test_a_model_that_is_for_something_else(schema, says):
    with pytest.raises(UsageError, match=says):
        lodestar.edit(tiny(schema), PIXELS, RED)


def test_parts_are_found_by_what_they_are():
    assert parts(tiny(JointSchema({"was": ImageSchema((3, 8, 8)), "told": TEXT}, TABLE_OF_OTHERS))) == ("told", "was")


TABLE_OF_OTHERS = {"told": 0.1, "told+was": 0.1}


@pytest.mark.parametrize("name", ["none.png", "folder", "text.png", "cut.png"])
def test_a_file_that_is_no_picture_is_one_line(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(PIXELS.numpy()).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:45])
    with pytest.raises(UsageError, match=name) as caught:
        lodestar.edit(MODEL, tmp_path / name, RED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("picture", "instruction", "says"),
    [
        (PIXELS, "", "the instruction is empty"),
        (PIXELS, [RED, " "], "the instruction is empty"),
        (PIXELS, [], "the instruction is empty"),
        (PIXELS[:4], RED, r"takes floats \[3, 8, 8\], got torch.float32 \[3, 4, 8\]"),
        (PIXELS.numpy(), RED, r"is a file, or pixels uint8 \[H, W, C\], got ndarray: torch.from_numpy"),
        (PIXELS.float(), RED, r"pixels to edit must be uint8 \[H, W, C\], got torch.float32"),
    ],
)
def test_what_cannot_be_edited(picture, instruction, says):
    with pytest.raises(UsageError, match=says):
        lodestar.edit(MODEL, picture, instruction)


def test_a_model_of_grey_pictures_takes_pixels_alone(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "in.png")
    model = tiny(JointSchema({"text": TEXT, "image": ImageSchema((1, 4, 4))}, TABLE), card={"steps": 1})
    with pytest.raises(UsageError, match=r"takes pictures of \[1, 4, 4\]: give pixels, not a file"):
        lodestar.edit(model, tmp_path / "in.png", RED)
    assert lodestar.edit(model, torch.zeros(4, 4, 1, dtype=torch.uint8), RED).images.shape == (1, 8, 8, 3)


def test_the_shipped_model_does_what_is_asked_of_it():
    found = measure_edits(lodestar.load("edit-32"), triples(10), batch=10)
    assert found.accuracy.right >= 8, found.failures
    assert found.median_psnr >= 30
