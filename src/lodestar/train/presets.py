"""Everything that a training run is made of, under a name, with what it gave."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from ..conditions import (
    ImageSchema,
    JointSchema,
    LabelSchema,
    PartSchema,
    Schema,
    TextSchema,
    Tokenizer,
    VectorSchema,
)
from ..core import Kind, Level, convert, generator
from ..data import Source, shapes
from ..errors import UsageError, unknown
from ..model import build
from ..networks import encoder, unet
from ..networks.encoder import ImageEncoderConfig
from ..networks.tower import TowerConfig
from ..networks.unet import UNetConfig
from ..process import DENSITIES, PROCESSES, Cosine, Density, Flow, LogitNormal, Process
from ..request import Defaults
from .config import TrainConfig
from .optim import OPTIMIZERS
from .weighting import InTermsOf, MinSNR, Weight

TOKENIZER_TEXTS = 20_000  # captions that a tokenizer learns from
KINDS = ("text", "label", "image", "vector")  # of conditions
CHANNELS = 3  # of a source's pictures
UNSIZED = ("in_channels", "patch", "tower", "inner", "clean")  # what no size of a network says
SIZES: Mapping[type, Mapping[str, Any]] = {UNetConfig: unet.SIZES, ImageEncoderConfig: encoder.SIZES}
_WEIGHTS = 0x77656967687473  # keeps this draw apart from all others of the same seed
N = TypeVar("N")
P = TypeVar("P")
PARTS = {  # of a preset, that are one of several classes, by lower-case name
    "process": {name.lower(): cls for name, cls in PROCESSES.items()},
    "density": {name.lower(): cls for name, cls in DENSITIES.items()},
}


@dataclass(frozen=True)
class Preset:
    """The data is not in it: any source of pictures will do that has what `condition` asks for."""

    name: str  # of the model
    command: str  # that trains it
    train: TrainConfig
    network: UNetConfig = field(default_factory=UNetConfig)
    resolution: int = 32  # pixels a side
    condition: str = "auto"  # text, label, image, vector, several as text+image, or none; auto: what the data has
    null: Literal["learnt", "zeros", "empty"] = "learnt"  # what stands for no condition; empty: for text only
    drop: float | Mapping[str, float] = 0.1  # probability of the null in training, or of several conditions a table
    length: int = 32  # tokens, for text
    vocab: int = 512  # tokens at most, for text
    process: Process = field(default_factory=Flow)
    kind: Kind = "flow"  # what the network puts out
    density: Density = field(default_factory=LogitNormal)
    loss: Kind | None = None  # in terms of which kind the error is measured; None: of its own
    min_snr: float = 0.0  # gamma of the Min-SNR weighting; 0: not used
    inner_weight: float = 0.5  # of the loss of an inner head (network.inner); that of Zhou et al.'s code, see task.py
    guidance: str = "cfg(4)"  # the rule that the model is sampled with when nothing is asked
    sampler: str = "dpmpp_2m"  # the sampler, likewise
    steps: int = 20  # the sampler's steps, likewise
    grid: str = "u"  # the levels that it visits, likewise
    licence: str = "Apache-2.0"  # of the weights
    measured: Mapping[str, object] = field(default_factory=dict)  # what the command gave


SCENES_32 = Preset(
    name="scenes-32",
    command="lodestar train --preset scenes-32 --out runs/scenes-32",
    train=TrainConfig(
        images=800_000, batch=64, optimizer="muon", lr=1e-3, warmup=300, schedule="wsd", ema_half_life=20_000
    ),
    network=UNetConfig(channels=(24, 48, 128), transformers=(0, 0, 4), head=32, tower=TowerConfig(dim=128, head=32)),
    condition="text",
    null="empty",
    length=24,
    kind="x0",
    loss="flow",
    density=LogitNormal(mean=0.9),  # towards noise, where the picture is laid out
    guidance="cfg(3)",
    sampler="unipc",
    # python -m benchmarks.card runs/scenes-32/model --scales 2 3 --batch 50
    measured={
        "seed": 0,
        "images": 800_000,
        "prompts": 1000,
        "accuracy_seen": {"2": 0.952, "3": 0.965},
        "accuracy_seen_95_at_3": (0.952, 0.975),
        "accuracy_held_out": {"2": 0.955, "3": 0.959},
        "accuracy_held_out_95_at_3": (0.945, 0.97),
    },
)

STUDY_16 = Preset(
    name="study-16",
    command="lodestar train --preset study-16 --out runs/study-16",
    train=TrainConfig(
        images=400_000, batch=64, optimizer="muon", lr=1.5e-3, warmup=200, schedule="wsd", ema_half_life=8_000
    ),
    network=UNetConfig(
        channels=(16, 32, 64), transformers=(0, 0, 2), head=32, vector=128, tower=TowerConfig(dim=64, head=32)
    ),
    resolution=16,
    condition="text",
    null="empty",
    length=24,
    process=Cosine(),
    kind="x0",
    loss="flow",
    density=LogitNormal(mean=0.2, even=0.2),  # the paper's sampler asks for the ends too
    guidance="cfg(2)",
    sampler="ancestral(noise_mix=0.3)",
    steps=64,
    # lodestar study strength --n 2000: 2,000 prompts at w = 1
    measured={"seed": 0, "images": 400_000, "prompt_accuracy": 0.193, "prompt_accuracy_95": (0.172, 0.215)},
)

CIFAR10 = Preset(
    name="cifar10",
    command="lodestar train --preset cifar10 --data DATA --flip --out runs/cifar10",
    train=TrainConfig(images=10_000_000, batch=512, lr=1e-3, warmup=1000, ema_half_life=500_000),
    network=UNetConfig(channels=(128, 192, 256), blocks=2, transformers=(0, 1, 2), head=64, vector=512),
    condition="label",
    guidance="cfg(1.5)",
    licence="see the data's",
)

IMAGES = Preset(
    name="images",
    command="lodestar train --preset images --data DATA --out runs/images",
    train=TrainConfig(images=200_000, batch=32, optimizer="muon", lr=1e-3, warmup=300, schedule="wsd"),
    network=UNetConfig(
        channels=(24, 48, 96, 192), transformers=(0, 0, 1, 3), head=32, tower=TowerConfig(dim=192, head=32)
    ),
    resolution=64,
    vocab=2048,
    kind="x0",
    loss="flow",
    density=LogitNormal(mean=0.5),
    guidance="cfg(3)",
    licence="see the data's",
)

EDIT_32 = replace(
    SCENES_32,
    name="edit-32",
    command="lodestar train --preset edit-32 --init scenes-32 --out runs/edit-32",
    train=replace(SCENES_32.train, images=300_000),
    condition="text+image",
    drop={"text": 0.05, "image": 0.05, "text+image": 0.05},  # Brooks et al. 2022, arXiv:2211.09800, sec. 3.2.1
    guidance="edit(2, image=1.5)",
    # python -m benchmarks.edits runs/edit-32/model --text 1 2 3 5; on 500 edits by which the scales were not chosen
    measured={
        "seed": 0,
        "images": 300_000,
        "edits": 500,
        "accuracy_seen": 0.978,
        "accuracy_seen_95": (0.961, 0.988),
        "untouched_psnr_median_seen": 39.85,  # dB
        "accuracy_held_out": 0.942,
        "accuracy_held_out_95": (0.918, 0.959),
        "untouched_psnr_median_held_out": 39.0,
    },
)

PRESETS: dict[str, Preset] = {p.name: p for p in (SCENES_32, CIFAR10, IMAGES, EDIT_32, STUDY_16)}


def sized(network: N, size: str) -> N:
    """A network of one of its SIZES that reads what this one reads. Raises UsageError for an unknown size."""
    if hasattr(network, "image"):  # the part of a classifier or a CLIP that has sizes
        return replace(network, image=sized(network.image, size))  # type: ignore[type-var]
    sizes = SIZES[type(network)]
    if size not in sizes:
        raise unknown("size", size, sizes)
    return replace(sizes[size], **{name: getattr(network, name) for name in UNSIZED if hasattr(network, name)})


def unsized(network: Mapping[str, Any]) -> Mapping[str, Any]:
    """What no size says of a network, as JSON values."""
    if isinstance(image := network.get("image"), Mapping):
        return {**network, "image": unsized(image)}
    return {k: v for k, v in network.items() if k in UNSIZED}


def network_of(config: Any, schema: Schema, seed: int) -> nn.Module:
    """An untrained network: its weights are a function of its configuration and the seed."""
    kind = type(config).__name__.removesuffix("Config").lower()
    with torch.random.fork_rng([]):
        torch.manual_seed(generator(seed, _WEIGHTS).initial_seed())
        return build({"type": kind, **asdict(config)}, schema)


def with_parts(preset: P, **names: str) -> P:
    """The preset with other PARTS, each by its name and with its own numbers; one that it has already stays as it is.

    Raises UsageError for an unknown name.
    """
    return replace(preset, **{part: _part(part, name, getattr(preset, part)) for part, name in names.items()})  # type: ignore[type-var]


def _part(part: str, name: str, own: object) -> Any:
    if name not in PARTS[part]:
        raise unknown(part, name, PARTS[part])
    return own if type(own) is PARTS[part][name] else PARTS[part][name]()


def check(preset: Preset) -> None:
    """Raises UsageError for what no data could make a run of."""
    try:
        defaults = Defaults(preset.guidance, preset.sampler, preset.steps, preset.grid)
        _check_kind(preset.kind, defaults.levels(preset.process))
    except UsageError as error:
        raise UsageError(f"sampling: {error}") from None
    if preset.train.optimizer not in OPTIMIZERS:
        raise unknown("optimizer", preset.train.optimizer, OPTIMIZERS)
    check_shape(preset.network, preset.resolution)
    weight_of(preset)
    if not 0 < preset.inner_weight < math.inf:
        raise UsageError(f"inner_weight must be finite and more than 0, got {preset.inner_weight}")
    _schema(preset, ("text",) if preset.condition == "auto" else _named(preset.condition), Told())


def _check_kind(kind: Kind, visited: Sequence[Level]) -> None:
    """Whether a network of this kind says something at every level at which the sampler asks it."""
    nothing = torch.zeros(1)
    for level in visited[:-1]:
        convert(kind, nothing, nothing, level)


def check_shape(network: Any, resolution: int) -> None:
    """Whether a network of this configuration takes the pictures."""
    if network.in_channels != CHANNELS:
        raise UsageError(f"pictures have {CHANNELS} channels and this network takes {network.in_channels}")
    multiple = network.multiple
    if resolution < 1 or resolution % multiple:
        near = max(1, round(resolution / multiple)) * multiple
        why = f"resolution {resolution} is no multiple of {multiple}, which this network needs"
        raise UsageError(f"{why}: choose {near}")


def weight_of(preset: Preset) -> Weight | None:
    """How the loss is weighted. Raises UsageError for two weightings at once."""
    if preset.loss and preset.min_snr:
        raise UsageError("give one of loss and min_snr: each is a weighting of its own")
    if preset.loss:
        return InTermsOf(preset.kind, preset.loss)
    return MinSNR(preset.kind, preset.min_snr) if preset.min_snr else None


@dataclass(frozen=True)
class Told:
    """What a schema has of a source."""

    classes: tuple[str, ...] = ("any",)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"image": (CHANNELS, 1, 1), "vector": (1,)})
    tokenizer: Tokenizer | None = None


def schema_of(preset: Preset, source: Source, tokenizer: Tokenizer | None = None) -> Schema:
    """The schema that a preset makes of a source; a tokenizer is trained on its captions if none is given.

    Raises UsageError if the source has not what the preset asks for.
    """
    kinds = _kinds(preset, source)
    if "text" in kinds and tokenizer is None:
        tokenizer = Tokenizer.train(source.texts(TOKENIZER_TEXTS), preset.vocab)
    return _schema(preset, kinds, Told(source.classes or (), shapes(source), tokenizer))


def _schema(preset: Preset, kinds: Sequence[str], told: Told) -> Schema:
    """Of one kind its own schema, of several a joint one whose parts have their names."""
    if len(kinds) > 1:
        return JointSchema({kind: _single(preset, kind, 0.0, told) for kind in kinds}, preset.drop)
    if not isinstance(preset.drop, int | float):
        one = f"'{kinds[0]}' is one" if kinds else "there are none"
        raise UsageError(f"a drop table is for several conditions and {one}: give one probability (--drop 0.1)")
    return _single(preset, kinds[0], preset.drop, told) if kinds else None


def _single(preset: Preset, kind: str, drop: float, told: Told) -> PartSchema:
    if kind == "text":
        return TextSchema(preset.length, preset.null, drop, told.tokenizer)
    if kind == "image":  # whose null is always zeros
        channels, height, width = told.shapes[kind]
        return ImageSchema((channels, height, width), drop=drop)
    if preset.null == "empty":
        what = "classes" if kind == "label" else "vectors"
        raise UsageError(f"null 'empty' is the empty text, and a model of {what} has none: choose learnt or zeros")
    if kind == "label":
        return LabelSchema(told.classes, preset.null, drop)
    [dim] = told.shapes[kind]
    return VectorSchema(dim, preset.null, drop)


def _named(condition: str) -> tuple[str, ...]:
    """The kinds of a condition as a preset writes it. Raises UsageError for one that is unknown or named twice."""
    kinds = () if condition == "none" else tuple(condition.split("+"))
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("condition", kind, ("auto", "none", *KINDS))
    if len(set(kinds)) < len(kinds):
        raise UsageError(f"a condition names each kind once, got '{condition}'")
    return kinds


def _kinds(preset: Preset, source: Source) -> tuple[str, ...]:
    """What a model of this source is conditioned on. Raises UsageError if the source has not what is asked for."""
    texts, own = any(text for text in source.texts(100)), shapes(source)
    if preset.condition == "auto":
        return _found(source, texts)
    there = {"text": texts, "label": bool(source.classes), "image": "image" in own, "vector": "vector" in own}
    kinds = _named(preset.condition)
    for kind in kinds:
        if not there[kind]:
            raise UsageError(f"preset '{preset.name}' is conditioned on {_LACKING[kind]}")
    return kinds


_LACKING = {
    "text": "text and the data has no captions: name their column with --caption-column, or take another --condition",
    "label": "classes and the data has none: put each class into a folder, or name their column with --label-column",
    "image": "pictures beside the images and the data has none: name their column with --before-column",
    "vector": "vectors and the data has none: name their column with --vector-column",
}


def _found(source: Source, texts: bool) -> tuple[str, ...]:
    """All that there is, but classes where there are captions."""
    told = ("text",) if texts else ("label",) if source.classes else ()
    kinds = (*told, *(kind for kind in KINDS if kind in shapes(source)))
    if not texts:
        lacks = "no captions" if kinds else "neither captions nor classes"
        knows = f"is conditioned on {_said(kinds, source)}" if kinds else "is unconditional and knows no prompt"
        warnings.warn(f"the data has {lacks}: the model {knows} (--condition text refuses such data)", stacklevel=2)
    return kinds


def _said(kinds: Sequence[str], source: Source) -> str:
    classes = f"its {len(source.classes or ())} classes"
    names = {"label": classes, "image": "the pictures beside its images", "vector": "its vectors"}
    return " and ".join(names[kind] for kind in kinds)
