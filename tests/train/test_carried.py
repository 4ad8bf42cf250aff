"""Conditions that the data carries by name: pictures and vectors beside the images, alone and with others."""

import json
import warnings
from dataclasses import replace

import pytest
import torch
from PIL import Image as Pillow
from squares import CONFIG, Squares

from lodestar import load, read_recipe
from lodestar.conditions import (
    Image,
    ImageSchema,
    JointSchema,
    LabelSchema,
    TextSchema,
    Tokenizer,
    Vector,
    VectorSchema,
)
from lodestar.data import Batch
from lodestar.errors import UsageError
from lodestar.networks.tower import TowerConfig
from lodestar.networks.unet import UNetConfig
from lodestar.pictures import from_uint8
from lodestar.request import UnseenWords
from lodestar.train import Preset, check, train
from lodestar.train.presets import schema_of
from lodestar.train.strips import prompts_of
from lodestar.train.task import condition_of

TABLE = {"text": 0.05, "image": 0.05, "text+image": 0.05}
SHAPES = {"image": (3, 8, 8), "vector": (2,)}
TINY = Preset(
    name="tiny",
    command="lodestar train --preset tiny",
    train=replace(CONFIG, steps=2, validate_every=2, validate_images=8, sample_every=2),
    network=UNetConfig(
        channels=(8, 16), transformers=(0, 1), head=8, vector=16, tower=TowerConfig(dim=16, head=8, convolutions=1)
    ),
    resolution=8,
    length=8,
    vocab=300,
    sampler="ddim",
    steps=2,
)
EDIT = replace(TINY, condition="text+image", null="empty", drop=TABLE, guidance="edit(3, image=1.5)")


class Beside(Squares):
    """Squares with another one before each, and a vector that says which it is."""

    conditions = SHAPES

    def _batch(self, which):
        batch = super()._batch(which)
        vector = torch.stack([which.float(), -which.float()], 1)
        return replace(batch, conditions={"image": batch.images.flip(1), "vector": vector})


BATCH = Beside().held_out(4)


def without_texts(source):
    source.texts = lambda n: []
    return source


def test_pictures_and_vectors_become_conditions():
    image = condition_of(BATCH, ImageSchema((3, 8, 8)))
    assert isinstance(image, Image)
    assert torch.equal(image.values, from_uint8(BATCH.conditions["image"]))
    vector = condition_of(BATCH, VectorSchema(2))
    assert isinstance(vector, Vector)
    assert torch.equal(vector.values, BATCH.conditions["vector"])


def test_parts_of_a_joint_condition_are_found_by_their_names():
    small = BATCH.conditions["image"][:, :1, ::2, ::2]
    batch = replace(BATCH, conditions={"low": small, **BATCH.conditions})
    schema = JointSchema(
        {"low": ImageSchema((1, 4, 4)), "vector": VectorSchema(2), "label": LabelSchema(("a", "b", "c"))}
    )
    joint = condition_of(batch, schema)
    assert torch.equal(joint.parts["low"].values, from_uint8(small))
    assert joint.parts["label"].index.tolist() == batch.labels.tolist()


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (ImageSchema((3, 4, 4)), r"conditioned on images \[3, 4, 4\], got \[3, 8, 8\]"),
        (VectorSchema(3), "conditioned on vectors of 3 numbers, got 2"),
        (
            JointSchema({"sketch": ImageSchema((3, 8, 8))}),
            r"pictures \('sketch'\) beside the images and the data has none",
        ),
    ],
)
def test_what_is_carried_must_be_of_the_schema(schema, says):
    with pytest.raises(UsageError, match=says):
        condition_of(BATCH, schema)


@pytest.mark.parametrize("rows", [slice(1, 3), slice(0, 4)])
def test_rows_of_a_batch_are_rows_of_all_that_it_carries(rows):
    some = BATCH[rows]
    assert torch.equal(some.images, BATCH.images[rows])
    assert some.texts == BATCH.texts[rows]
    assert {name: v.tolist() for name, v in some.conditions.items()} == {
        name: v[rows].tolist() for name, v in BATCH.conditions.items()
    }
    bare = Batch(BATCH.images)[rows]
    assert (bare.texts, bare.labels, bare.conditions) == (None, None, {})


@pytest.mark.parametrize(
    ("condition", "drop", "parts"),
    [
        ("text+image", TABLE, {"text": TextSchema, "image": ImageSchema}),
        ("label+vector", 0.2, {"label": LabelSchema, "vector": VectorSchema}),
        ("auto", 0.2, {"text": TextSchema, "image": ImageSchema, "vector": VectorSchema}),
    ],
)
def test_joint_conditions_of_a_preset(condition, drop, parts):
    schema = schema_of(replace(TINY, condition=condition, drop=drop), Beside())
    assert {name: type(part) for name, part in schema.parts.items()} == parts
    assert schema.table == (drop if isinstance(drop, dict) else {"+".join(parts): drop})
    assert [part.shape for part in schema.parts.values() if isinstance(part, ImageSchema)] in ([], [(3, 8, 8)])


@pytest.mark.parametrize(
    ("condition", "schema"),
    [("image", ImageSchema((3, 8, 8), drop=0.2)), ("vector", VectorSchema(2, "learnt", 0.2))],
)
def test_a_picture_or_a_vector_alone(condition, schema):
    assert schema_of(replace(TINY, condition=condition, drop=0.2), Beside()) == schema


def test_what_the_data_decides_is_said_where_there_are_no_captions():
    with pytest.warns(UserWarning, match="conditioned on its 3 classes and the pictures beside its images and its vec"):
        schema = schema_of(TINY, without_texts(Beside()))
    assert list(schema.parts) == ["label", "image", "vector"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"condition": "text+picture"}, "unknown condition 'picture': there are"),
        ({"condition": "text+text"}, "a condition names each kind once, got 'text\\+text'"),
        ({"condition": "label", "drop": TABLE}, "a drop table is for several conditions and 'label' is one"),
        ({"condition": "none", "drop": TABLE}, "a drop table is for several conditions and there are none"),
        ({"condition": "text+image", "drop": {"sketch": 0.1}}, "unknown part 'sketch'"),
        ({"condition": "text+image", "drop": {"text": 0.9, "image": 0.2}}, "come to 1.1 together"),
        ({"condition": "label+vector", "null": "empty"}, "a model of classes has none: choose learnt or zeros"),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_data(change, says):
    with pytest.raises(UsageError, match=says):
        check(replace(TINY, **change))


@pytest.mark.parametrize(
    ("condition", "says"),
    [("text+image", "has none: name their column with --before-column"), ("vector", "with --vector-column")],
)
def test_data_that_carries_no_such_thing_is_refused(condition, says):
    with pytest.raises(UsageError, match=says):
        schema_of(replace(TINY, condition=condition), Squares())


def test_what_strips_ask_for():
    schema = schema_of(EDIT, Beside())
    first, *_ = asked = prompts_of(schema, replace(BATCH, texts=["", *BATCH.texts[1:]]))
    assert len(asked) == 4
    assert first["text"] is None
    assert torch.equal(first["image"], from_uint8(BATCH.conditions["image"][0]))
    labels = replace(BATCH, labels=torch.tensor([-1, 2, 0, 1]))
    both = prompts_of(schema_of(replace(TINY, condition="label+vector"), Beside()), labels)
    assert [row["label"] for row in both] == [None, 2, 0, 1]
    assert torch.equal(prompts_of(VectorSchema(2), BATCH)[2], BATCH.conditions["vector"][2])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train(EDIT, Beside(), tmp_path_factory.mktemp("runs") / "a", device="cpu", quiet=True)


def test_a_run_of_text_and_image(finished):
    model = load(finished.out / "model")
    assert model.schema == finished.model.schema
    assert model.schema.table == TABLE
    prompt = {"text": "a red square", "image": from_uint8(BATCH.conditions["image"][0])}
    assert model.sample(prompt, n=2).recipe["guidance"] == "edit(3, image=1.5)"
    told = json.dumps(model.describe())
    assert all(word in told for word in ('"text+image": 0.05', '"shape": [3, 8, 8]', '"condition": "text+image"'))


def test_its_strip_shows_the_picture_before_first(finished):
    path = finished.out / "samples" / "step-00000002.png"
    prompts = read_recipe(path)["prompts"]
    assert len(prompts) == 8
    with Pillow.open(path) as strip:
        assert strip.width > 5 * 96  # one before, four after, each enlarged to 96 pixels
        colours = {strip.getpixel((strip.width - 10 - 5 * 100 + 54, y)) for y in range(strip.height)}
    assert {(0, 0, 255), (0, 255, 0), (255, 0, 0)} <= colours


def test_it_goes_on_and_with_another_table_it_does_not(finished):
    for drop in ({"text": 0.05, "image": 0.05}, {**TABLE, "text": 0.1}, 0.1):
        with pytest.raises(UsageError, match="another drop"):
            train(replace(EDIT, drop=drop), Beside(), finished.out, resume=True, quiet=True)
    longer = replace(EDIT, train=replace(EDIT.train, steps=3, validate_every=0, sample_every=0))
    assert train(longer, Beside(), finished.out, resume=True, device="cpu", quiet=True).steps == 3


def test_a_text_model_learns_to_read_a_picture_beside(tmp_path, capsys):
    """All that it knew is taken over, its text tower and tokenizer too; at first it draws what it drew."""
    still = replace(TINY.train, steps=1, lr=1e-12, validate_every=0, sample_every=0)
    text = replace(TINY, condition="text", null="empty", train=replace(TINY.train, validate_every=0, sample_every=0))
    before = train(text, Squares(), tmp_path / "text", device="cpu", quiet=True).model

    class Instructed(Beside):
        def texts(self, n):
            return ["make red"]

    init = tmp_path / "text" / "model"
    after = train(replace(EDIT, train=still), Instructed(), tmp_path / "edit", init=init, device="cpu").model
    assert "; new: beside.conv\n" in capsys.readouterr().err
    prompt = {"text": "a red square", "image": torch.ones(3, 8, 8)}
    images = [m.sample(p, n=2, guidance="cfg(1)").images for m, p in ((before, "a red square"), (after, prompt))]
    assert (images[0].int() - images[1].int()).abs().max() <= 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnseenWords)
        after.sample({**prompt, "text": "make red"})


def test_a_part_of_several_conditions_is_found_alone_and_back(finished, tmp_path, capsys):
    text = replace(TINY, condition="text", null="empty", train=replace(TINY.train, validate_every=0, sample_every=0))
    train(text, Squares(), tmp_path / "text", init=finished.out / "model", device="cpu")
    said = capsys.readouterr().err
    assert "left behind: beside.conv\n" in said
    assert "new" not in said


def test_a_tokenizer_that_has_read_more_spells_as_before():
    own = Tokenizer.train(["a red square"], 300)
    read = own.having_read(["Make it blue", "a red circle"])
    assert read.encode("make it blue") == own.encode("make it blue")
    assert read.unseen("make a blue star") == ["star"]
    assert own.unseen("a blue square") == ["blue"]
