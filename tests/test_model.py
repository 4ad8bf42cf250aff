"""Models: predictions, folders, descriptions, and files that are not what they should be."""

import errno
import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

import lodestar
from lodestar import UsageError, load, model_folder
from lodestar.conditions import JointSchema, Tokenizer
from lodestar.core import KINDS
from lodestar.process import Cosine, Flow
from tiny import INNER, LABEL, TEXT, tiny

RED = "a red circle"
SCHEMAS = pytest.mark.parametrize("schema", [TEXT, LABEL, None], ids=["text", "label", "none"])


@pytest.fixture
def folder(tmp_path):
    tiny().save(tmp_path / "m")
    return tmp_path / "m"


def change(folder, **new):
    """Rewrite config.json; a value of None takes the key away."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **new}
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_prediction_is_the_networks_output_read_as_its_kind(kind):
    model, x, level = tiny(kind=kind), torch.randn(2, 3, 8, 8), Flow().level(torch.tensor(0.4, dtype=torch.float64))
    condition = TEXT.encode([RED, None])
    prediction = model(x, level, condition)
    raw = model.network(x, level, model.network.encode(condition))
    assert torch.allclose(prediction.reading(kind, level), raw, atol=1e-4)
    assert torch.allclose(level.like(x).alpha * prediction.x0 + level.like(x).sigma * prediction.eps, x, atol=1e-4)


def test_a_condition_and_its_encoding_give_the_same():
    model, x, level = tiny(), torch.randn(2, 3, 8, 8), Flow().level(torch.tensor(0.4, dtype=torch.float64))
    condition = TEXT.encode([RED, None])
    assert torch.equal(model(x, level, condition).x0, model(x, level, model.encode(condition)).x0)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_network_with_an_inner_head_there_is_a_prediction_by_each_name(kind, tmp_path):
    model, x, level = tiny(kind=kind, config=INNER), torch.randn(2, 3, 8, 8), Flow().level(torch.tensor(0.4).double())
    condition = TEXT.encode([RED, None])
    predictions = model(x, level, condition)
    raw = model.network(x, level, model.network.encode(condition))
    assert (model.heads, tiny().heads) == (("main", "inner"), ("main",))
    assert tuple(predictions) == model.heads
    for head, prediction in predictions.items():
        assert torch.allclose(prediction.reading(kind, level), raw[head], atol=1e-4)
    model.save(tmp_path / "m")
    back = load(tmp_path / "m")
    assert back.heads == model.heads
    assert torch.equal(back(x, level, condition)["inner"].x0, predictions["inner"].x0)


def test_a_folder_of_before_inner_heads_is_read(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["network"]["inner"]
    change(folder, network=config["network"])
    assert load(folder).heads == ("main",)


@SCHEMAS
def test_a_saved_model_comes_back(tmp_path, schema):
    card = {"guidance": "cfg(3)", "steps": 2, "licence": "CC0-1.0", "measured": [{"scale": 1, "accuracy": 0.5}]}
    model = tiny(schema, process=Cosine(), kind="v", card=card if schema else {"steps": 2})
    model.save(tmp_path / "m")
    back = load(tmp_path / "m")
    for name in ("process", "kind", "schema", "shape", "name", "card", "defaults"):
        assert getattr(back, name) == getattr(model, name), name
    prompt = {TEXT: RED, LABEL: "owl", None: None}[schema]
    assert torch.equal(back.sample(prompt, n=2).images, model.sample(prompt, n=2).images)


def test_a_loaded_model_is_in_eval_mode_in_fp32_without_gradients(folder):
    network = load(str(folder)).network
    assert not network.training
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_on_disk_is_half_the_size_and_fp32_in_memory(tmp_path, folder, dtype):
    tiny().save(tmp_path / "half", dtype=dtype)
    whole, half = ((f / "model.safetensors").stat().st_size for f in (folder, tmp_path / "half"))
    assert half < 0.75 * whole  # the header stays
    back = load(tmp_path / "half")
    assert {p.dtype for p in back.network.parameters()} == {torch.float32}
    before = tiny().network.state_dict()
    assert all(torch.allclose(t, before[k], rtol=1e-2) for k, t in back.network.state_dict().items())


@SCHEMAS
def test_the_description_tells_all_as_json(tmp_path, schema):
    tiny(schema, card={"measured": [1], "recipe": {"seed": 0}, "licence": "CC0-1.0", "steps": 7}).save(tmp_path / "m")
    told = load(tmp_path / "m").describe()
    assert json.loads(json.dumps(told)) == told
    assert told["parameters"] == sum(p.numel() for p in tiny(schema).network.parameters())
    assert told["bytes"] == (tmp_path / "m" / "model.safetensors").stat().st_size
    assert (told["measured"], told["recipe"], told["licence"]) == ([1], {"seed": 0}, "CC0-1.0")
    assert (told["guidance"], told["sampler"], told["steps"]) == ("cfg(1)", "ddim", 7)
    assert told["null"] == {TEXT: "empty", LABEL: "learnt", None: None}[schema]
    assert told["drop"] == (0.1 if schema else None)
    assert told["network"]["type"] == "unet"


def test_a_joint_models_null_is_that_of_each_part_that_can_be_dropped():
    schema = JointSchema({"text": replace(TEXT, drop=0.0), "label": replace(LABEL, drop=0.0)}, {"text": 0.1})
    assert tiny(schema).describe()["null"] == {"text": "empty"}


def test_a_network_that_says_nothing_of_its_images_takes_any():
    class Plain(torch.nn.Conv2d):
        config = None

    model = replace(tiny(None), network=Plain(5, 5, 1), shape=(5, 7, 9))
    assert model.shape == (5, 7, 9)


def test_an_unsaved_model_has_no_size():
    assert tiny().describe()["bytes"] is None


def test_saving_again_replaces_the_model_and_nothing_else(folder):
    (folder / "notes.txt").write_text("mine")
    replace(load(folder), name="second").save(folder)
    assert load(folder).name == "second"
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "notes.txt",
        "tokenizer.json",
    ]


def test_a_config_of_somebody_elses_is_not_replaced(tmp_path):
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(UsageError, match="will not replace what is there"):
        tiny().save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_a_full_disk_leaves_the_old_model_whole(folder, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UsageError, match="No space left on device"):
        tiny(name="second").save(folder)
    with pytest.raises(UsageError, match="No space left on device"):
        tiny(name="second").save(folder.parent / "new")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


def test_a_place_that_cannot_be_written_is_named(folder):
    with pytest.raises(UsageError, match=r"cannot write .*config.json"):
        tiny().save(folder / "config.json" / "m")


@pytest.mark.parametrize(("value", "says"), [(float("nan"), "not finite"), (1e6, "too large for torch.float16")])
def test_weights_that_cannot_be_stored_are_refused(tmp_path, value, says):
    model = tiny()
    model.network.head.bias.data[0] = value
    with pytest.raises(UsageError, match=f"'head.bias' is {says}"):
        model.save(tmp_path / "m", dtype=torch.float16)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("dtype", [torch.int8, "fp16"], ids=str)
def test_weights_are_stored_as_floats_alone(tmp_path, dtype):
    with pytest.raises(UsageError, match=f"weights are stored as floats, as torch.float16, not as {dtype}"):
        tiny().save(tmp_path / "m", dtype=dtype)
    assert not (tmp_path / "m").exists()


def one_line(folder, *says):
    with pytest.raises(UsageError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    for part in says:
        assert part in message


def test_an_unknown_name_gets_the_nearest_shipped_one(tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "SHIPPED", tmp_path)
    tiny().save(tmp_path / "scenes-32")
    one_line("scene-32", "unknown model 'scene-32': did you mean 'scenes-32'?")
    assert load("scenes-32").folder == tmp_path / "scenes-32"


def test_a_folder_without_a_config_says_so_and_looks_inside(folder):
    one_line(folder.parent, "has no config.json", f"did you mean '{folder}'?")
    (folder / "empty").mkdir()
    one_line(folder / "empty", "has no config.json", "give the folder")
    one_line(folder / "nowhere", "there is no model folder at")
    one_line(folder / "config.json", "there is no model folder at")
    (folder.parent / "config.json").write_text("{}")  # as the folder of a run has one
    one_line(folder.parent, "is not the configuration of a Lodestar model", f"did you mean '{folder}'?")
    one_line("./nowhere", "there is no model folder at './nowhere'")


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"format": 2}, "has format 2, this Lodestar reads 1"),
        ({"format": None}, "not the configuration of a Lodestar model"),
        ({"network": None}, "has no 'network'"),
        ({"kind": "epsilon"}, "unknown kind 'epsilon': did you mean 'eps'"),
        ({"process": {"type": "Cosin"}}, "no model of this Lodestar"),
        ({"process": 3}, "no model of this Lodestar"),
        ({"shape": [3, 8]}, "no model of this Lodestar"),
        ({"shape": "wide"}, "no model of this Lodestar"),
        ({"shape": [1, 8, 8]}, "model 'tiny' has images of 1 channels, and its network is for 3"),
        ({"shape": [3, 8, 7]}, "model 'tiny' has images of 8x7 pixels, and its network needs multiples of 2"),
        ({"shape": [3, 0, 0]}, "model 'tiny' has images of 0x0 pixels"),
        (
            {"card": {"sampler": "dddim"}},
            "model 'tiny' has a bad default: unknown sampler 'dddim': did you mean 'ddim'",
        ),
        ({"card": {"guidance": "cgf(4)"}}, "model 'tiny' has a bad default: unknown rule 'cgf': did you mean 'cfg'"),
        ({"card": {"guidance": ""}}, "model 'tiny' has a bad default: cannot read ''"),
        ({"card": {"guidance": None}}, "model 'tiny' has a bad default: guidance must be a text, got None"),
        ({"card": {"steps": 0}}, "model 'tiny' has a bad default: steps must be a whole number of at least 1, got 0"),
        ({"card": {"steps": "many"}}, "model 'tiny' has a bad default: steps must be a whole number"),
        ({"card": {"grid": "lamb"}}, "model 'tiny' has a bad default: unknown grid 'lamb': did you mean 'lam'"),
        ({"card": 3}, "no model of this Lodestar"),
        ({"schema": {"kind": "txt"}}, "did you mean 'text'"),
        ({"schema": {"kind": "text", "drop": 7}}, "[0, 1]"),
        ({"schema": {"kind": "label", "classes": ["a"]}}, "does not fit its config.json"),
        ({"network": {"type": "unett"}}, "unknown network 'unett': did you mean 'unet'"),
        ({"network": {"type": "layers"}}, "unknown network 'layers'"),
        ({"network": {"type": "os"}}, "unknown network 'os'"),
        ({"network": {"type": "unet", "chanels": [8]}}, "chanels"),
        ({"network": {"type": "unet", "channels": "wide"}}, "no model of this Lodestar"),
        ({"network": {"type": "unet", "channels": [8, -1], "transformers": [0, 0]}}, "no model of this Lodestar"),
        ({"network": []}, "no model of this Lodestar"),
    ],
    ids=str,
)
def test_a_damaged_config_is_named(folder, new, says):
    change(folder, **new)
    one_line(folder, says, str(folder))


def test_a_folder_whose_tower_repeats_what_the_schema_says_is_read(folder):
    network = json.loads((folder / "config.json").read_text())["network"]
    assert not {"vocab", "length"} & network["tower"].keys()
    change(folder, network={**network, "tower": {"vocab": 320, "length": 8, **network["tower"]}})
    assert torch.equal(load(folder).sample(RED).images, tiny().sample(RED).images)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00", '"config"', "null"])
def test_a_config_that_is_no_json_object_is_named(folder, text):
    (folder / "config.json").write_text(text)
    one_line(folder, "config.json")


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_weights_are_named(folder, size):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    one_line(folder, "model.safetensors is damaged")


def test_foreign_weights_are_named(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({"other": torch.zeros(2)}, path)
    one_line(folder, "model.safetensors does not fit its config.json: it lacks", "more")
    save_file({**weights, "other": torch.zeros(2)}, path)
    one_line(folder, "it has an unknown 'other'")
    save_file({**weights, "head.bias": torch.zeros(5)}, path)
    one_line(folder, "of another shape is 'head.bias'")
    save_file({**weights, "head.bias": torch.full((3,), torch.inf)}, path)
    one_line(folder, "not finite is 'head.bias'")
    path.unlink()
    one_line(folder, "cannot read", "model.safetensors")


def test_a_missing_or_damaged_tokenizer_is_named(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text()[:100])
    one_line(folder, "tokenizer.json is damaged")
    path.unlink()
    one_line(folder, "cannot read", "tokenizer.json")
    change(folder, tokenizer=None)
    one_line(folder, "needs a tokenizer.json")


def test_another_models_tokenizer_is_named(folder):
    (folder / "tokenizer.json").write_text(Tokenizer.train(["a blue owl"], 320).to_json())
    one_line(folder, "tokenizer.json is damaged or another model's")


def test_a_device_that_is_not_there_is_named(folder):
    for device in ("warp", "cuda:99"):
        with pytest.raises(UsageError, match=f"device '{device}' cannot be used: .*give cpu, cuda or mps") as found:
            load(folder, device=device)
        assert len(str(found.value)) < 200


def test_bf16_is_the_networks_alone_and_nearly_the_same(folder):
    exact, model = load(folder), load(folder, precision="bf16")
    x, level = torch.randn(2, 3, 8, 8), Flow().level(torch.tensor(0.4, dtype=torch.float64))
    condition = TEXT.encode([RED, None])
    near, prediction = exact(x, level, condition), model(x, level, condition)
    assert prediction.x0.dtype == torch.float32
    assert not torch.equal(prediction.x0, near.x0)
    assert torch.allclose(prediction.x0, near.x0, atol=0.05)
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_model_keeps_its_precision_inside_of_an_autocast(folder, precision):
    model, x = load(folder, precision=precision), torch.randn(2, 3, 8, 8)
    level, condition = Flow().level(torch.tensor(0.4, dtype=torch.float64)), TEXT.encode([RED, None])
    alone = model(x, level, condition)
    with torch.autocast("cpu", torch.bfloat16):
        around = model(x, level, condition)
    assert torch.equal(around.x0, alone.x0)


def test_a_sample_says_that_it_was_made_in_bf16(folder):
    recipes = [load(folder, precision=p).sample(RED, steps=1).recipe for p in ("fp32", "bf16")]
    assert [recipe.get("precision") for recipe in recipes] == [None, "bf16"]


def test_a_precision_that_there_is_not_is_named(folder):
    with pytest.raises(UsageError, match="unknown precision 'fp16': did you mean 'bf16'"):
        load(folder, precision="fp16")
    with pytest.raises(UsageError, match="unknown precision 'auto'"):
        tiny(precision="auto")


def test_the_package_names_are_there():
    for name in lodestar.__all__:
        assert getattr(lodestar, name) is not None
    assert set(lodestar.__all__) <= set(dir(lodestar))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lodestar.nothing


def test_the_shipped_model_has_an_inner_head():
    model, prompt = load("scenes-32"), "a red circle above a blue square"
    plain, inner = (model.sample(prompt, n=2, steps=2, guidance=g) for g in ("cfg(1)", "internal(1.4)"))
    assert inner.evaluations == plain.evaluations == 4
    assert not plain.images.equal(inner.images)
