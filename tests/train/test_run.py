"""Whole runs: the folder they leave, going on with one, starting from another model."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load_file
from squares import CLASSES, CONFIG, Breaks, Squares

from lodestar import load, read_recipe
from lodestar.conditions import ImageSchema, JointSchema, LabelSchema, TextSchema, Tokenizer
from lodestar.core import KINDS
from lodestar.errors import UsageError
from lodestar.networks.tower import TowerConfig
from lodestar.networks.unet import UNetConfig
from lodestar.process import DDPM, EDM, Cosine, Flow, LogNormal
from lodestar.train import PRESETS, Preset, check, new_model, preset, train
from lodestar.train.checkpoint import Checkpoints
from lodestar.train.presets import schema_of, sized

TINY = Preset(
    name="tiny",
    command="lodestar train --preset tiny",
    train=replace(CONFIG, steps=6, validate_every=3, validate_images=8, sample_every=6),
    network=UNetConfig(
        channels=(8, 16), transformers=(0, 1), head=8, vector=16, tower=TowerConfig(dim=16, head=8, convolutions=1)
    ),
    resolution=8,
    condition="text",
    null="empty",
    length=8,
    vocab=300,
    guidance="cfg(2)",
    sampler="ddim",
    steps=2,
)
LABEL, NONE = replace(TINY, condition="label", null="learnt"), replace(TINY, condition="none")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    return train(TINY, Squares(), out, device="cpu", quiet=True)


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "none"
    return train(NONE, Squares(), out, device="cpu", quiet=True)


def lines(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def last_weights(out):
    last = Checkpoints(out / "checkpoints", CONFIG).last()
    return {f"{f.stem}/{k}": v for f in last.glob("*.safetensors") for k, v in load_file(f).items()}


def differ(a, b):
    return [k for k in a.keys() | b.keys() if k not in a or k not in b or not torch.equal(a[k], b[k])]


def test_what_a_finished_run_leaves(finished):
    out = finished.out
    assert finished.steps == 6
    assert finished.stopped is None
    left = {p.name for p in out.iterdir()}
    assert left >= {"config.json", "tokenizer.json", "log.jsonl", "checkpoints", "samples", "model"}
    config = json.loads((out / "config.json").read_text())
    assert config["preset"]["train"]["lr"] == CONFIG.lr
    assert config["preset"]["process"] == {"kind": "Flow", "shift": 1.0}
    assert config["source"] == {"data": "squares"}


def test_its_model_is_the_average(finished):
    model = load(finished.out / "model")
    average = {k.removeprefix("average/"): v for k, v in last_weights(finished.out).items() if k.startswith("average/")}
    assert not differ(dict(model.network.state_dict()), average)
    assert isinstance(model.schema, TextSchema)
    assert model.schema.drop == TINY.drop
    assert model.defaults.guidance == "cfg(2)"
    recipe = model.card["recipe"]
    assert (recipe["images"], recipe["seed"], recipe["command"]) == (48, 7, TINY.command)
    assert model.sample("a red square", n=2).images.shape == (2, 8, 8, 3)


def test_it_logs_validation_and_draws_strips(finished):
    seen = lines(finished.out)
    losses = [line["validation"]["loss"] for line in seen if "validation" in line]
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))
    strip = finished.out / "samples" / "step-00000006.png"
    assert Image.open(strip).size[0] > 4 * 8
    assert set(read_recipe(strip)["prompts"]) <= {f"a {c} square" for c in CLASSES}


def test_strips_do_not_speak_of_words_that_only_held_out_captions_have(tmp_path, recwarn):
    class Others(Squares):
        def held_out(self, n):
            batch = super().held_out(n)
            return replace(batch, texts=["an owl"] * n)

    once = replace(TINY, train=replace(TINY.train, steps=1, sample_every=1))
    ended = train(once, Others(), tmp_path / "r", device="cpu", quiet=True)
    assert read_recipe(ended.out / "samples" / "step-00000001.png")["prompts"] == ["an owl"]
    assert [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)] == []


def test_a_folder_in_use_is_not_written_to(finished):
    before = sorted(p.name for p in finished.out.iterdir())
    with pytest.raises(UsageError, match=r"is not empty.*--resume"):
        train(TINY, Squares(), finished.out, quiet=True)
    assert sorted(p.name for p in finished.out.iterdir()) == before


def test_there_must_be_a_run_to_resume(tmp_path):
    with pytest.raises(UsageError, match="no run to resume"):
        train(TINY, Squares(), tmp_path, resume=True)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        train(TINY, Squares(), tmp_path / "file")


def test_what_a_killed_start_leaves_is_no_run(tmp_path):
    for name in ("tokenizer.json", ".tokenizer.json.part", ".config.json.part"):
        (tmp_path / name).write_text("{")
    with pytest.raises(UsageError, match="no run to resume"):
        train(NONE, Squares(), tmp_path, resume=True)
    still = replace(TINY, train=replace(TINY.train, steps=1, validate_every=0, sample_every=0))
    ended = train(still, Squares(), tmp_path, device="cpu", quiet=True)
    assert load(ended.out / "model").schema == ended.model.schema


def test_resume_goes_on_and_ends_where_the_whole_run_does(finished, tmp_path):
    with pytest.raises(RuntimeError):
        train(TINY, Breaks(), tmp_path / "b", device="cpu", quiet=True)
    assert not (tmp_path / "b" / "model").exists()
    ended = train(TINY, Squares(), tmp_path / "b", resume=True, device="cpu", quiet=True)
    assert ended.steps == 6
    assert not differ(last_weights(finished.out), last_weights(tmp_path / "b"))


def test_resume_with_other_values_is_refused(finished):
    other = replace(TINY, drop=0.2, process=Cosine(), train=replace(TINY.train, lr=0.5, log_every=1))
    with pytest.raises(UsageError, match="another drop, process, lr: give the same"):
        train(other, Squares(), finished.out, resume=True, quiet=True)


def test_a_run_whose_configuration_has_fields_of_before_goes_on(unconditional, tmp_path):
    out = tmp_path / "r"
    shutil.copytree(unconditional.out, out)
    config = json.loads((out / "config.json").read_text())
    config["preset"]["network"]["tower"] |= {"vocab": 512, "length": 32}
    (out / "config.json").write_text(json.dumps(config))
    assert train(NONE, Squares(), out, resume=True, device="cpu", quiet=True).steps == 6
    other = replace(NONE, network=replace(NONE.network, tower=replace(NONE.network.tower, depth=2)))
    with pytest.raises(UsageError, match="another network: give the same"):
        train(other, Squares(), out, resume=True, device="cpu", quiet=True)


def test_a_field_that_an_older_run_has_not_was_at_its_default(unconditional, tmp_path):
    out = tmp_path / "r"
    shutil.copytree(unconditional.out, out)
    config = json.loads((out / "config.json").read_text())
    del config["preset"]["train"]["only"], config["preset"]["min_snr"]
    (out / "config.json").write_text(json.dumps(config))
    other = replace(NONE, min_snr=5.0, train=replace(NONE.train, only="inner"))
    with pytest.raises(UsageError, match="another min_snr, only: give the same"):
        train(other, Squares(), out, resume=True, device="cpu", quiet=True)
    assert train(NONE, Squares(), out, resume=True, device="cpu", quiet=True).steps == 6


def test_the_text_of_a_joint_model_has_the_tower_that_its_schema_asks_for():
    text = TextSchema(40, tokenizer=Tokenizer.train(["a red square"], 300))
    schema = JointSchema({"text": text, "sketch": ImageSchema((1, 8, 8))})
    model = new_model(TINY, schema, 8)
    tower = model.network.encoder.parts[0].tower
    assert (tower.embed.num_embeddings, len(tower.place)) == (text.vocab, 40)


def test_resume_on_other_data_is_refused_and_on_the_same_elsewhere_is_not(tmp_path):
    class Told(Squares):
        def __init__(self, **told):
            self.told = told

        def describe(self):
            return {"classes": self.classes, **self.told}

    class Others(Told):
        classes = ("green", "red", "blue")

    once = replace(LABEL, train=replace(LABEL.train, steps=1, validate_every=0, sample_every=0))
    train(once, Told(data="here", read=5), tmp_path / "r", device="cpu", quiet=True)
    model = (tmp_path / "r" / "model" / "config.json").read_bytes()
    with pytest.raises(UsageError, match=r"started on other data \(classes\): give the same --data") as refused:
        train(once, Others(data="here"), tmp_path / "r", resume=True, device="cpu", quiet=True)
    assert "\n" not in str(refused.value)
    assert (tmp_path / "r" / "model" / "config.json").read_bytes() == model
    longer = replace(once, train=replace(once.train, steps=2))
    assert train(longer, Told(data="there"), tmp_path / "r", resume=True, device="cpu", quiet=True).steps == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"guidance": "cgf(2)"}, "sampling: unknown rule 'cgf'"),
        ({"sampler": "dimm"}, "unknown sampler 'dimm'"),
        ({"steps": 0}, "sampling: steps must be a whole number of at least 1"),
        ({"train": replace(CONFIG, optimizer="adam")}, "unknown optimizer 'adam'"),
        ({"resolution": 9}, "resolution 9 is no multiple of 2.*choose 8"),
        ({"resolution": 0}, "resolution 0 is no multiple of 2.*choose 2"),
        ({"network": replace(TINY.network, in_channels=1)}, "3 channels and this network takes 1"),
        ({"loss": "x0", "min_snr": 5.0}, "one of loss and min_snr"),
        ({"grid": "lamb"}, "sampling: unknown grid 'lamb'"),
        ({"grid": "trailing"}, "sampling: grid 'trailing' is for processes of discrete steps"),
        ({"kind": "eps"}, "sampling: a network of kind 'eps' says nothing at alpha = 0"),
        ({"kind": "eps", "process": DDPM(zero_terminal=True)}, "'eps' says nothing at alpha = 0: use kind 'v'"),
        ({"drop": 1.5}, "probability"),
        ({"length": 1}, "at least 2 tokens"),
        ({"condition": "label"}, "null 'empty'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_data_is_opened(tmp_path, change, says):
    with pytest.raises(UsageError, match=says):
        train(replace(TINY, **change), never, tmp_path / "r", quiet=True)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("process", [Cosine(), DDPM(), DDPM(zero_terminal=True), EDM(), Flow(shift=3)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_for_every_process_but_eps_where_there_is_no_signal(process, kind):
    asked = replace(TINY, process=process, kind=kind)
    if kind == "eps" and process in (DDPM(zero_terminal=True), Flow(shift=3)):
        with pytest.raises(UsageError, match="says nothing at alpha = 0"):
            check(asked)
        asked = replace(asked, grid="lam")  # which ends short of it
    check(asked)


def test_the_grid_is_the_models_own(tmp_path):
    once = replace(NONE, train=replace(NONE.train, steps=1, validate_every=0, sample_every=1))
    discrete = replace(once, process=DDPM(), density=LogNormal(), kind="eps", grid="trailing")
    ended = train(discrete, Squares(), tmp_path / "r", device="cpu", quiet=True)
    assert load(ended.out / "model").defaults.grid == "trailing"
    assert read_recipe(ended.out / "samples" / "step-00000001.png")["grid"] == "trailing"
    config = json.loads((ended.out / "config.json").read_text())["preset"]
    assert (config["process"]["kind"], config["density"]["kind"]) == ("DDPM", "LogNormal")
    longer = replace(discrete, grid="lam", train=replace(discrete.train, steps=2, sample_every=0))
    assert train(longer, Squares(), ended.out, resume=True, device="cpu", quiet=True).model.defaults.grid == "lam"


def never():
    raise AssertionError("the data is opened")


def test_a_source_of_another_size_than_the_presets_is_refused(tmp_path):
    with pytest.raises(UsageError, match="source is of 8 pixels a side and the preset of 16: ") as refused:
        train(replace(TINY, resolution=16), Squares(), tmp_path / "r", quiet=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "r").exists()


def test_the_data_is_opened_after_everything_else_is_known(finished, tmp_path):
    for out, init, resume in ((finished.out, None, False), (tmp_path, None, True), (tmp_path / "r", "nowhere", False)):
        with pytest.raises(UsageError):
            train(TINY, never, out, init=init, resume=resume, quiet=True)
    with pytest.raises(UsageError, match="another drop"):
        train(replace(TINY, drop=0.5), never, finished.out, resume=True, quiet=True)
    once = replace(NONE, train=replace(NONE.train, steps=1, validate_every=0, sample_every=0))
    assert train(once, Squares, tmp_path / "r", device="cpu", quiet=True).steps == 1


@pytest.mark.parametrize("device", ["warp", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_the_data_is_opened(tmp_path, device):
    with pytest.raises(UsageError, match=f"device '{device}' .*leave it out") as refused:
        train(TINY, never, tmp_path / "r", device=device, quiet=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "r").exists()


def test_a_process_that_does_not_lead_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Accelerator, "is_main_process", property(lambda _: False))
    once = replace(TINY, train=replace(TINY.train, steps=1, validate_every=1, sample_every=1))
    assert train(once, Squares(), tmp_path / "r", device="cpu", quiet=True).steps == 1
    assert not (tmp_path / "r").exists()


def test_what_is_held_out_is_read_once(tmp_path):
    class Counts(Squares):
        asked = 0

        def held_out(self, n):
            self.asked += 1
            return super().held_out(n)

    once, source = replace(TINY, train=replace(TINY.train, steps=1, validate_every=1, sample_every=1)), Counts()
    train(once, source, tmp_path / "r", device="cpu", quiet=True)
    assert source.asked == 1


def test_what_was_measured_of_another_run_is_not_said_of_this_one(tmp_path):
    once = replace(NONE, train=replace(NONE.train, steps=1, validate_every=0, sample_every=0))
    ended = train(replace(once, measured={"accuracy": 1.0}), Squares(), tmp_path, device="cpu", quiet=True)
    assert not ended.model.describe()["measured"]
    assert "accuracy" not in json.dumps(ended.model.describe())


def test_a_model_can_be_saved_in_half_precision(tmp_path):
    once = replace(NONE, train=replace(NONE.train, steps=1, validate_every=0, sample_every=0))
    saved = train(once, Squares(), tmp_path / "r", device="cpu", quiet=True, dtype=torch.float16)
    weights = load_file(saved.out / "model" / "model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}
    assert all(torch.equal(weights[k], v.half()) for k, v in saved.model.network.state_dict().items())


def test_seconds_are_those_of_all_parts(tmp_path):
    once = replace(NONE, train=replace(NONE.train, steps=1, validate_every=0, sample_every=0))
    train(once, Squares(), tmp_path, device="cpu", quiet=True)
    log = tmp_path / "log.jsonl"
    [line] = lines(tmp_path)
    assert line["seconds"] >= 0
    log.write_text(json.dumps({**line, "seconds": 1000.0}) + "\n")
    longer = replace(once, train=replace(once.train, steps=2))
    ended = train(longer, Squares(), tmp_path, resume=True, device="cpu", quiet=True)
    assert 1000 < ended.seconds < 1100
    assert ended.model.card["recipe"]["seconds"] == round(ended.seconds, 1)


def test_a_damaged_config_is_one_line(finished, tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config.json is damaged"):
        train(TINY, Squares(), tmp_path, resume=True, quiet=True)


@pytest.mark.parametrize("left", [b"\xff\xfe", b'{"format": 1, "wor'])
def test_a_damaged_tokenizer_is_one_line(finished, tmp_path, left):
    shutil.copytree(finished.out, tmp_path / "r")
    (tmp_path / "r" / "tokenizer.json").write_bytes(left)
    with pytest.raises(UsageError, match=r"tokenizer.json is damaged") as refused:
        train(TINY, Squares(), tmp_path / "r", resume=True, device="cpu", quiet=True)
    assert "\n" not in str(refused.value)


def test_a_finished_run_can_be_made_longer(unconditional, tmp_path):
    shutil.copytree(unconditional.out, tmp_path / "longer")
    longer = replace(NONE, train=replace(NONE.train, steps=8))
    assert train(longer, Squares(), tmp_path / "longer", resume=True, device="cpu", quiet=True).steps == 8


@pytest.mark.parametrize("asked", [TINY, LABEL])
def test_init_gives_an_unconditional_model_a_condition(unconditional, tmp_path, asked, capsys):
    still = replace(asked, train=replace(asked.train, steps=1, lr=1e-12, validate_every=0, sample_every=0))
    ended = train(still, Squares(), tmp_path / "out", init=unconditional.out / "model", device="cpu")
    said = capsys.readouterr().err
    assert "tensors taken over; new: encoder." in said
    before, after = (load(r.out / "model").network.state_dict() for r in (unconditional, ended))
    shared = [k for k in before if k in after and before[k].shape == after[k].shape]
    assert len(shared) > 20
    assert all(torch.allclose(before[k], after[k], atol=1e-6) for k in shared)
    assert isinstance(ended.model.schema, TextSchema if asked is TINY else LabelSchema)
    prompt = "a red square" if asked is TINY else "red"
    assert ended.model.sample(prompt, guidance="cfg(2)", steps=1).images.shape == (1, 8, 8, 3)


def test_a_run_that_died_before_its_first_checkpoint_still_starts_from_init(unconditional, tmp_path):
    class Breaks(Squares):
        def batches(self, size, seed, start=0):
            raise RuntimeError("broken")

    whole, parts, init = tmp_path / "whole", tmp_path / "parts", unconditional.out / "model"
    with pytest.raises(RuntimeError):
        train(LABEL, Breaks(), parts, init=init, device="cpu", quiet=True)
    train(LABEL, Squares(), parts, resume=True, device="cpu", quiet=True)
    train(LABEL, Squares(), whole, init=init, device="cpu", quiet=True)
    assert not differ(last_weights(whole), last_weights(parts))


def test_init_of_a_text_model_keeps_its_tokenizer(finished, tmp_path):
    class Others(Squares):
        def texts(self, n):
            return ["quite other words"]

    still = replace(TINY, train=replace(TINY.train, steps=1, validate_every=0, sample_every=0))
    ended = train(still, Others(), tmp_path / "out", init=finished.out / "model", device="cpu", quiet=True)
    kept, own = ended.model.schema.tokenizer, finished.model.schema.tokenizer
    assert (kept.bpe, kept.words) == (own.bpe, own.words | {"quite", "other", "words"})  # which it has seen now
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert "new" not in config["taken"]
    assert Path(config["init"]) == finished.out / "model"


def test_init_of_another_kind_of_network_is_an_error(finished, tmp_path):
    network = UNetConfig(channels=(4,), transformers=(1,), head=4, vector=12, tower=TowerConfig(dim=12, head=4))
    other = replace(TINY, network=network)
    with pytest.raises(UsageError, match="only 0% of the weights of model 'tiny' fit"):
        train(other, Squares(), tmp_path / "out", init=finished.out / "model", quiet=True)
    assert not (tmp_path / "out").exists()


def test_measures_are_logged(tmp_path):
    def measure(model):
        return {"letters": len(model.name)}

    ended = train(NONE, Squares(), tmp_path, device="cpu", quiet=True, measure=measure)
    assert [line["measured"] for line in lines(ended.out) if "measured" in line] == [{"letters": 4}]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_complete(name):
    assert preset(name).name == name.removeprefix("detector-")  # whose numbers carry its name: FD-scenes
    assert preset(name).command.startswith(f"lodestar train --preset {name}")


def test_an_unknown_preset_is_told_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        preset("cifar-10")


def test_a_schema_needs_its_data():
    bare = Squares()
    bare.classes = None
    with pytest.raises(UsageError, match="classes"):
        schema_of(LABEL, bare)
    bare.texts = lambda n: []
    with pytest.raises(UsageError, match="captions"):
        schema_of(TINY, bare)


def test_what_the_data_decides_is_said_where_it_is_not_text(recwarn):
    auto, data = replace(LABEL, condition="auto"), Squares()
    assert isinstance(schema_of(auto, data), TextSchema)
    assert not recwarn
    data.texts = lambda n: []
    with pytest.warns(UserWarning, match=r"no captions.* 3 classes.*--condition text"):
        assert isinstance(schema_of(auto, data), LabelSchema)
    data.classes = None
    with pytest.warns(UserWarning, match=r"neither captions nor classes.* unconditional.*--condition text"):
        assert schema_of(auto, data) is None


@pytest.mark.filterwarnings("ignore:the data has no captions")
def test_the_null_of_classes_is_not_the_empty_text():
    data = Squares()
    assert schema_of(replace(LABEL, null="zeros"), data).null == "zeros"
    data.texts = lambda n: []
    for condition in ("label", "auto"):
        with pytest.raises(UsageError, match=r"null 'empty' is the empty text.*learnt or zeros"):
            schema_of(replace(LABEL, condition=condition, null="empty"), data)


def test_a_size_changes_the_widths_and_leaves_the_rest():
    own = replace(TINY.network, patch=2)
    large = sized(own, "large")
    assert (large.channels, large.blocks, large.head) == ((128, 256, 448), 3, 64)
    assert (large.tower, large.patch, large.in_channels) == (own.tower, 2, 3)
    with pytest.raises(UsageError, match="unknown size 'huge'"):
        sized(own, "huge")
