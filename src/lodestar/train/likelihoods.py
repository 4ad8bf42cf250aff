"""Presets of what tells pictures apart, for guidance, and what a run makes of them: a network, its schema, its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..conditions import LabelSchema, Schema, TextSchema, Tokenizer
from ..data import Source
from ..data.scenes.answers import SCHEMA
from ..data.scenes.captions import parse
from ..errors import UsageError, unknown
from ..likelihood import Likelihood
from ..networks.classifier import ClassifierConfig
from ..networks.clip import ClipConfig
from ..networks.encoder import SIZES, ImageEncoderConfig
from ..process import Density, Flow, Process, Uniform
from .augment import Augment
from .classifying import Classifying
from .config import TrainConfig
from .contrastive import Contrasting
from .optim import OPTIMIZERS
from .presets import TOKENIZER_TEXTS, check_shape, network_of
from .showing import Showing, Telling

LOOKED_AT = 100  # captions, to see whether they are of the scenes world


@dataclass(frozen=True)
class LikelihoodPreset:
    """The network says which task is set: a classifier's is cross-entropy, a CLIP's to tell which text is whose."""

    name: str  # of the likelihood
    command: str  # that trains it
    train: TrainConfig
    network: ClassifierConfig | ClipConfig
    resolution: int = 32  # pixels a side
    length: int = 24  # tokens, for text
    vocab: int = 512  # tokens at most, for text
    process: Process = field(default_factory=Flow)  # of the noise that it is shown; it guides models of any
    density: Density = field(default_factory=Uniform)
    augment: Augment = field(default_factory=Augment)  # how the pictures are changed at random
    licence: str = "Apache-2.0"  # of the weights
    measured: Mapping[str, object] = field(default_factory=dict)  # what the command gave


CLASSIFIER_SCENES = LikelihoodPreset(
    name="classifier-scenes",
    command="lodestar train --preset classifier-scenes --out runs/classifier",
    train=TrainConfig(
        images=200_000, batch=32, optimizer="muon", lr=2e-3, schedule="wsd", ema_half_life=10_000, early=0
    ),  # 6,400 clean scenes, small: a loss of 5.64, and of 8.18 with adamw
    network=ClassifierConfig(SIZES["medium"]),
    # the last validation of its log.jsonl, of 256 held-out scenes at 8 levels from little noise to much
    measured={"seed": 0, "images": 200_000, "loss": 2.926, "accuracy": 0.774, "accuracy_least_noise": 0.996},
)

CLASSIFIER_CIFAR10 = LikelihoodPreset(
    name="classifier-cifar10",
    command="lodestar train --preset classifier-cifar10 --data DATA --flip --out runs/classifier",
    train=TrainConfig(
        images=5_000_000, batch=512, lr=1e-3, warmup=1000, weight_decay=0.05, ema_half_life=500_000, early=0
    ),
    network=ClassifierConfig(
        ImageEncoderConfig(channels=(128, 192, 256), blocks=2, transformers=(0, 1, 2), patch=1, head=64, vector=512)
    ),
    licence="see the data's",
)

CLIP_SCENES = LikelihoodPreset(
    name="clip-scenes",
    command="lodestar train --preset clip-scenes --out runs/clip",
    train=TrainConfig(
        images=400_000, batch=128, optimizer="muon", lr=1e-3, schedule="wsd", ema_half_life=10_000, early=0
    ),
    network=ClipConfig(SIZES["medium"]),
    # likewise: which of so many texts is a picture's; and what it does, python -m benchmarks.steering runs/clip/model
    measured={"seed": 0, "images": 400_000, "loss": 1.034, "accuracy": 0.719, "red_circles": (0.03, 0.91)},
)

# A detector's numbers carry its name, FD-scenes: it is called as what it knows.
DETECTOR_SCENES = LikelihoodPreset(
    name="scenes",
    command="lodestar train --preset detector-scenes --out runs/detector-scenes",
    train=replace(CLASSIFIER_SCENES.train, images=120_000, seed=1),
    network=ClassifierConfig(
        ImageEncoderConfig(channels=(24, 48, 96), transformers=(0, 0, 1), patch=1, clean=True)
    ),  # of no size that guidance is done with
    # python -m benchmarks.detectors runs/detector-scenes/model; of scenes at 16 pixels 0.9821
    measured={"seed": 1, "images": 120_000, "scenes": 10_000, "accuracy": 0.9911, "accuracy_95": (0.9891, 0.9928)},
)

DETECTOR_CIFAR10 = LikelihoodPreset(
    name="cifar10",
    command="lodestar train --preset detector-cifar10 --data DATA --flip --out runs/detector-cifar10",
    train=TrainConfig(
        images=600_000,
        batch=256,
        optimizer="muon",
        lr=5e-3,
        warmup=100,
        schedule="linear",
        ema_half_life=5_000,
        early=0,
    ),
    network=ClassifierConfig(
        ImageEncoderConfig(channels=(24, 64, 160, 160), transformers=(0, 0, 0, 0), patch=1, clean=True, plain=True)
    ),
    augment=Augment(shift=2),
    licence="see the data's",
    # python -m benchmarks.detectors runs/detector-cifar10/model --data cifar10; the whole test split
    measured={"seed": 0, "images": 600_000, "pictures": 10_000, "accuracy": 0.8812, "accuracy_95": (0.8747, 0.8874)},
)

PRESETS = {
    **{p.name: p for p in (CLASSIFIER_SCENES, CLASSIFIER_CIFAR10, CLIP_SCENES)},
    "detector-scenes": DETECTOR_SCENES,
    "detector-cifar10": DETECTOR_CIFAR10,
}
TASKS: dict[type, type[Telling]] = {ClassifierConfig: Classifying, ClipConfig: Contrasting}


def check(preset: LikelihoodPreset) -> None:
    """Raises UsageError for what no data could make a run of."""
    if preset.train.optimizer not in OPTIMIZERS:
        raise unknown("optimizer", preset.train.optimizer, OPTIMIZERS)
    check_shape(preset.network, preset.resolution)
    preset.augment.check(preset.resolution)
    TextSchema(preset.length)
    if isinstance(preset.network, ClipConfig) and preset.train.batch // preset.train.accumulate < 2:
        raise UsageError("CLIP learns by contrast: give it a batch of at least 2 for each part (accumulate)")


def schema_of(preset: LikelihoodPreset, source: Source, tokenizer: Tokenizer | None = None) -> Schema:
    """What there is to tell: a CLIP's texts, a classifier's classes, or what captions of scenes answer.

    Raises UsageError if the source has no such thing.
    """
    if isinstance(preset.network, ClipConfig):
        if not any(source.texts(LOOKED_AT)):
            raise UsageError(f"preset '{preset.name}' compares pictures with texts and the data has no captions")
        tokenizer = tokenizer or Tokenizer.train(source.texts(TOKENIZER_TEXTS), preset.vocab)
        return TextSchema(preset.length, tokenizer=tokenizer)
    if source.classes and len(source.classes) < 2:
        raise UsageError(f"all of the data is of one class, '{source.classes[0]}': there is nothing to tell apart")
    if source.classes:
        return LabelSchema(source.classes, drop=0.0)
    texts = list(source.texts(LOOKED_AT))
    if not texts or any(parse(text) is None for text in texts):
        raise UsageError(f"preset '{preset.name}' tells classes apart and the data has none: give class folders")
    return SCHEMA


def new_likelihood(preset: LikelihoodPreset, schema: Schema, resolution: int) -> Likelihood:
    """An untrained one: its weights are a function of the preset and its seed."""
    shape = (preset.network.in_channels, resolution, resolution)
    network = network_of(preset.network, schema, preset.train.seed)
    return Likelihood(network, preset.process, schema, shape, preset.name, {"licence": preset.licence})


def task_of(preset: LikelihoodPreset, judge: Likelihood) -> Telling:
    """The task that a preset sets."""
    config, clean = preset.train, preset.network.image.clean
    showing = Showing(preset.process, preset.density, clean, config.seed, preset.augment)
    return TASKS[type(preset.network)](judge.network, showing)
