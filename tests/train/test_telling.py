"""Tasks of what tells pictures apart: what they are shown, cross-entropy, contrast, and a whole run of each."""

import json
import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from squares import CONFIG, Breaks, Squares
from torch import Tensor
from torch.nn.functional import cross_entropy

from judges import CLASSIFIER, CLIP, classifier, shaken
from lodestar import Likelihood
from lodestar.conditions import LabelSchema, Text, TextSchema, Tokenizer
from lodestar.core import Level
from lodestar.data import Batch
from lodestar.data.scenes.answers import SCHEMA
from lodestar.data.scenes.source import ScenesSource
from lodestar.errors import UsageError
from lodestar.networks.classifier import Classifier, ClassifierConfig
from lodestar.networks.clip import Clip
from lodestar.networks.encoder import ImageEncoderConfig
from lodestar.oracle import GaussianMixture
from lodestar.pictures import from_uint8
from lodestar.process import Cosine, Flow
from lodestar.train import PRESETS, LikelihoodPreset, check, sized, train
from lodestar.train.augment import Augment
from lodestar.train.classifying import Classifying
from lodestar.train.contrastive import Contrasting
from lodestar.train.likelihoods import schema_of
from lodestar.train.optim import optimizer
from lodestar.train.showing import Showing, clean
from lodestar.train.task import ACCURACY, NOISE
from lodestar.train.validate import LEVELS, Validation

BATCH = next(Squares().batches(8, 0))
CPU = torch.device("cpu")
SQUARES = LabelSchema(Squares.classes, drop=0.0)
TEXTS = TextSchema(length=8, tokenizer=Tokenizer.train(Squares().texts(3), 300))

TINY = LikelihoodPreset(
    name="tiny-classifier",
    command="lodestar train --preset tiny-classifier",
    train=replace(CONFIG, steps=6, validate_every=3, validate_images=8),
    network=CLASSIFIER,
    resolution=8,
    length=8,
    vocab=300,
)


def classifying(**changes: object) -> Classifying:
    return Classifying(shaken(Classifier(CLASSIFIER, SQUARES)), Showing(Flow(), seed=7), **changes)  # type: ignore[arg-type]


def contrasting() -> Contrasting:
    return Contrasting(shaken(Clip(CLIP, TEXTS)), Showing(Flow(), seed=7))


# What is shown


def test_pictures_are_shown_at_their_levels_whatever_part_they_are_in():
    showing = Showing(Flow(), seed=7)
    x, level = showing(BATCH.images, 3, 0, CPU)
    part, at = showing(BATCH.images[4:6], 3, 4, CPU)
    assert torch.equal(x[4:6], part)
    assert torch.equal(level.sigma[4:6], at.sigma)
    assert len(level.sigma.unique()) == 8
    eps = (x - level.like(x).alpha * from_uint8(BATCH.images)) / level.like(x).sigma
    assert float(eps.std()) == pytest.approx(1, abs=0.1)
    for other in (showing(BATCH.images, 4, 0, CPU), replace(showing, seed=8)(BATCH.images, 3, 0, CPU)):
        assert not torch.equal(x, other[0])


def test_a_clean_one_is_shown_no_noise():
    x, level = Showing(Cosine(), clean=True)(BATCH.images, 3, 0, CPU)
    assert torch.equal(x, from_uint8(BATCH.images))
    assert level.noise_to_signal.tolist() == [0] * 8


def test_a_clean_one_is_validated_without_noise_and_as_pictures_are():
    task = classifying()
    task = replace(task, showing=replace(task.showing, clean=True, augment=Augment(shift=2, cutout=4)))
    told = task.judge(BATCH, torch.randn(BATCH.images.shape), task.process.level(torch.full((8,), 0.9).double()))
    seen = task.seen(BATCH, from_uint8(BATCH.images), clean(8))
    assert torch.allclose(told["loss"], seen["loss"], atol=1e-5)
    assert torch.equal(told[ACCURACY], seen[ACCURACY])


# Cross-entropy


def test_the_loss_is_the_cross_entropy_of_what_is_shown():
    task = classifying()
    loss = task.loss(BATCH, 5)
    x, level = task.showing(BATCH.images, 5, 0, CPU)
    network = task.network
    logits = network.head(network.image(x, level)) @ network.words.T
    assert torch.allclose(loss, cross_entropy(logits, BATCH.labels, reduction="none"), atol=1e-5)
    assert torch.equal(task.facts[ACCURACY], (logits.argmax(1) == BATCH.labels).float())
    assert torch.equal(task.facts[NOISE], level.noise_to_signal)


def test_pictures_without_a_class_add_nothing():
    bare = replace(BATCH, labels=torch.where(torch.arange(8) < 4, BATCH.labels, -1))
    loss = classifying().loss(bare, 5)
    assert torch.equal(loss[4:], torch.zeros(4))
    assert (loss[:4] > 0).all()


def test_scenes_are_asked_what_their_captions_answer():
    batch = ScenesSource(16).held_out(6)
    task = Classifying(shaken(Classifier(CLASSIFIER, SCHEMA)), Showing(Flow()))
    whole = task.loss(batch, 0)
    assert whole.shape == (6,)
    for i in range(6):
        one = Batch(batch.images[i : i + 1], batch.texts[i : i + 1])
        assert torch.allclose(task.loss(one, 0, i), whole[i : i + 1], rtol=1e-4)
    with pytest.raises(UsageError, match="told by their captions"):
        task.loss(Batch(batch.images), 0)


@pytest.mark.slow
def test_the_oracles_gradient_is_learnt():
    """A classifier of a mixture of two Gaussians [3, 2, 2] points where the exact log p(c | x) does."""
    oracle, chance = GaussianMixture.random(12, 2, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    image = ImageEncoderConfig(channels=(32,), transformers=(1,), patch=1, head=16, vector=32)
    network = Classifier(ClassifierConfig(image), LabelSchema(("a", "b"), drop=0.0))
    steps = optimizer(replace(CONFIG, lr=3e-3), network)

    def shown(n: int, u: Tensor) -> tuple[Tensor, Level, Tensor]:
        c, level = torch.arange(n) % 2, Flow().level(u.double())
        return oracle.sample(n, chance, c, level).float(), level, c

    for _ in range(150):
        x, level, c = shown(128, torch.rand(128, generator=chance))
        network(x.reshape(-1, 3, 2, 2), level, c[:, None]).mean().neg().backward()
        steps.step()
        steps.zero_grad()
    x, level, c = shown(64, torch.full((64,), 0.5))
    exact = oracle.score(x.double(), level, c) - oracle.score(x.double(), level)
    x.requires_grad_()
    found = torch.autograd.grad(network(x.reshape(-1, 3, 2, 2), level, c[:, None]).sum(), x)[0]
    assert torch.cosine_similarity(found.flatten(), exact.float().flatten(), 0) > 0.8


# Contrast


def test_the_contrast_is_symmetric_over_what_the_pass_holds():
    batch = Batch(BATCH.images[:3], ["a red square", "a green square", "a blue square"])
    task = contrasting()
    loss = task.loss(batch, 5)
    x, level = task.showing(batch.images, 5, 0, CPU)
    logits = task.network.scale * task.network.picture(x, level) @ task.network.encode(TEXTS.encode(batch.texts)).T
    own = torch.arange(3)
    expected = (cross_entropy(logits, own, reduction="none") + cross_entropy(logits.T, own, reduction="none")) / 2
    assert torch.allclose(loss, expected, atol=1e-5)
    assert torch.equal(task.facts[ACCURACY], (logits.argmax(1) == own).float())


def test_the_same_text_is_right_wherever_it_stands():
    task = contrasting()
    task.loss(Batch(BATCH.images[:2], ["a red square"] * 2), 0)
    assert task.facts[ACCURACY].tolist() == [1, 1]


class Table:
    """As if a CLIP: how near picture i, all of whose pixels are i, is to each of the texts."""

    scale, schema = 1.0, TEXTS

    def __init__(self, near: Tensor, texts: list[str]) -> None:
        self.near, self.ids = near, TEXTS.encode(texts).ids

    def picture(self, x: Tensor, level: Level) -> Tensor:
        return self.near[x[:, 0, 0, 0].long()]

    def encode(self, text: Text) -> Tensor:
        return (text.ids[:, None] == self.ids).all(2).to(self.near)


def test_its_optimum_is_the_log_ratio_that_guidance_climbs():
    """Over all batches of three there can be, where texts come twice: no change of log p(x, text) / p(x) p(text)."""
    p = torch.tensor([[0.30, 0.05], [0.10, 0.15], [0.05, 0.35]], dtype=torch.float64)  # of a picture and a text
    near = (p / p.sum(0) / p.sum(1, keepdim=True)).log().requires_grad_()
    texts = ["a red square", "a blue square"]
    task, whole = Contrasting(Table(near, texts), Showing(Flow())), torch.zeros(())
    for batch in product(range(3), range(2), repeat=3):
        x, text = torch.tensor(batch[::2]), torch.tensor(batch[1::2])
        shown = Batch(torch.zeros(3, 3, 1, 1), [texts[t] for t in text])
        loss = task.seen(shown, x[:, None, None, None].double(), None)["loss"]  # type: ignore[arg-type]
        whole = whole + p[x, text].prod() * loss.sum()
    assert torch.autograd.grad(whole, near)[0].abs().max() < 1e-12


# Validation and runs


def test_accuracy_is_told_by_noise_level():
    for task in (classifying(), contrasting()):
        seen = Validation(task, Squares().held_out(24), 12)(task.network)
        assert len(seen["levels"]) == len(seen["accuracy_levels"]) == LEVELS
        assert seen["accuracy"] == pytest.approx(sum(seen["accuracy_levels"].values()) / LEVELS)


def lines(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("network", [CLASSIFIER, CLIP], ids=["classifier", "clip"])
def test_a_run_leaves_a_likelihood_and_resumes_to_the_same_bits(tmp_path, network):
    preset = replace(TINY, network=network)

    whole = train(preset, Squares(), tmp_path / "a", device="cpu", quiet=True)
    with pytest.raises(RuntimeError):
        train(preset, Breaks(), tmp_path / "b", device="cpu", quiet=True)
    resumed = train(preset, Squares(), tmp_path / "b", resume=True, device="cpu", quiet=True)
    a, b = (run.model.network.state_dict() for run in (whole, resumed))
    assert all(torch.equal(a[k], b[k]) for k in a)
    back = Likelihood.load(whole.out / "model")
    assert back.kind == {CLASSIFIER: "classifier", CLIP: "clip"}[network]
    assert back.card["recipe"]["images"] == 48
    told = lines(whole.out)
    assert 0 <= next(line for line in told if "loss" in line)["accuracy"] <= 1
    assert math.isfinite(told[-1]["validation"]["accuracy"])
    assert not (whole.out / "samples").exists()


def test_what_it_learns_is_what_there_is_to_see(tmp_path):
    """Squares of three colours are told apart where the noise leaves them to be seen."""
    longer = replace(TINY, train=replace(TINY.train, steps=40, validate_every=40, validate_images=48))
    seen = lines(train(longer, Squares(), tmp_path / "r", device="cpu", quiet=True).out)[-1]["validation"]
    clearest = next(iter(seen["accuracy_levels"].values()))
    assert clearest > 0.9


def test_it_starts_from_another(tmp_path, capsys):
    classifier(SQUARES).save(tmp_path / "j")
    once = replace(TINY, train=replace(TINY.train, steps=1, validate_every=0))
    train(once, Squares(), tmp_path / "r", init=tmp_path / "j", device="cpu")
    assert "--init" in capsys.readouterr().err
    with pytest.raises(UsageError, match="a model that draws pictures"):
        train(once, Squares(), tmp_path / "s", init="scenes-32", device="cpu", quiet=True)


def test_what_there_is_to_tell_is_the_datas_to_say():
    data = Squares()
    assert schema_of(TINY, data).classes == Squares.classes
    assert isinstance(schema_of(replace(TINY, network=CLIP), data), TextSchema)
    data.classes = ("red",)
    with pytest.raises(UsageError, match="all of the data is of one class, 'red': there is nothing to tell apart"):
        schema_of(TINY, data)
    data.classes = None
    assert schema_of(TINY, data) == SCHEMA  # its captions are of the scenes world
    data.texts = lambda n: ["a cat"]
    with pytest.raises(UsageError, match="tells classes apart and the data has none"):
        schema_of(TINY, data)
    data.texts = lambda n: []
    with pytest.raises(UsageError, match="compares pictures with texts and the data has no captions"):
        schema_of(replace(TINY, network=CLIP), data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"resolution": 9}, "resolution 9 is no multiple of 2"),
        ({"train": replace(CONFIG, optimizer="adam")}, "unknown optimizer 'adam'"),
        ({"network": CLIP, "length": 1}, "at least 2 tokens"),
        ({"network": CLIP, "train": replace(CONFIG, accumulate=8)}, "learns by contrast"),
    ],
)
def test_what_cannot_be_is_refused_before_the_data_is_opened(change, says):
    with pytest.raises(UsageError, match=says):
        check(replace(TINY, **change))


@pytest.mark.parametrize("name", ["classifier-scenes", "clip-scenes", "classifier-cifar10"])
def test_a_size_is_of_the_image_side_alone(name):
    network = PRESETS[name].network
    small = sized(replace(network, image=replace(network.image, clean=True)), "small")
    assert small.image.channels == (32, 64)
    assert small.image.clean
    assert small.image.patch == network.image.patch
    with pytest.raises(UsageError, match="unknown size 'huge'"):
        sized(network, "huge")
