"""Everything that a training run is made of, under a name, with what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..conditions import LabelSchema, Schema, TextSchema, Tokenizer
from ..core import Kind
from ..data import Source
from ..errors import UsageError, unknown
from ..networks.tower import TowerConfig
from ..networks.unet import SIZES, UNetConfig
from ..process import Cosine, Flow, LogitNormal, Uniform
from .config import TrainConfig
from .weighting import InTermsOf, MinSNR, Weight

TOKENIZER_TEXTS = 20_000  # captions that a tokenizer learns from


@dataclass(frozen=True)
class Preset:
    """The data is not in it: any source of pictures will do that has what `condition` asks for."""

    name: str
    command: str  # that trains it
    train: TrainConfig
    network: UNetConfig = field(default_factory=UNetConfig)
    resolution: int = 32  # pixels
    condition: Literal["auto", "text", "label", "none"] = "auto"  # auto: text, else label, else none, as the data has
    null: Literal["learnt", "zeros", "empty"] = "learnt"
    drop: float = 0.1  # probability
    length: int = 32  # tokens, for text
    vocab: int = 512  # tokens at most, for text
    process: Cosine | Flow = field(default_factory=Flow)
    kind: Kind = "flow"
    density: Uniform | LogitNormal = field(default_factory=LogitNormal)
    loss: Kind | None = None  # in terms of which kind the error is measured; None: of its own
    min_snr: float = 0.0  # gamma of the Min-SNR weighting; 0: not used
    guidance: str = "cfg(4)"  # and the next two: what the model is sampled with when nothing is asked
    sampler: str = "dpmpp_2m"
    steps: int = 20
    licence: str = "Apache-2.0"
    measured: Mapping[str, object] = field(default_factory=dict)  # what the command gave


SCENES_32 = Preset(
    name="scenes-32",
    command="lodestar train --preset scenes-32 --out runs/scenes-32",
    train=TrainConfig(
        images=83_200, batch=32, optimizer="muon", lr=1e-3, warmup=300, schedule="wsd", ema_half_life=20_000
    ),
    network=replace(SIZES["small"], tower=TowerConfig(dim=128, head=32)),
    condition="text",
    null="empty",
    length=24,
    kind="x0",
    loss="flow",
    density=LogitNormal(mean=0.5),  # towards noise, where the picture is laid out
    guidance="cfg(2)",
    # python -m benchmarks.card runs/scenes-32/model --n 100 --scales 1 2 4 8; a first model, stopped early
    measured={
        "seed": 0,
        "images": 83_200,
        "prompts": 100,
        "accuracy_seen": {"1": 0.01, "2": 0.06, "4": 0.0, "8": 0.0},
        "accuracy_seen_95_at_2": (0.028, 0.125),
        "accuracy_held_out": {"1": 0.0, "2": 0.05, "4": 0.06, "8": 0.03},
        "accuracy_held_out_95_at_2": (0.022, 0.112),
    },
)

CIFAR10 = Preset(
    name="cifar10",
    command="lodestar train --preset cifar10 --data DATA --out runs/cifar10",
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
        channels=(24, 48, 96, 192), transformers=(0, 0, 1, 3), head=32, tower=TowerConfig(vocab=2048, dim=192, head=32)
    ),
    resolution=64,
    vocab=2048,
    kind="x0",
    loss="flow",
    density=LogitNormal(mean=0.5),
    guidance="cfg(3)",
    licence="see the data's",
)

PRESETS: dict[str, Preset] = {p.name: p for p in (SCENES_32, CIFAR10, IMAGES)}


def preset(name: str) -> Preset:
    """A preset by its name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def weight_of(preset: Preset) -> Weight | None:
    """How the loss is weighted. Raises UsageError for two weightings at once."""
    if preset.loss and preset.min_snr:
        raise UsageError("give one of loss and min_snr: each is a weighting of its own")
    if preset.loss:
        return InTermsOf(preset.kind, preset.loss)
    return MinSNR(preset.kind, preset.min_snr) if preset.min_snr else None


def schema_of(preset: Preset, source: Source, tokenizer: Tokenizer | None = None) -> Schema:
    """The schema that a preset makes of a source; a tokenizer is trained on its captions if none is given.

    Raises UsageError if the source has not what the preset asks for.
    """
    kind = _kind(preset, source)
    if kind == "label":
        return LabelSchema(source.classes or (), "zeros" if preset.null == "zeros" else "learnt", preset.drop)
    if kind == "text":
        tokenizer = tokenizer or Tokenizer.train(source.texts(TOKENIZER_TEXTS), preset.vocab)
        return TextSchema(preset.length, preset.null, preset.drop, tokenizer)
    return None


def _kind(preset: Preset, source: Source) -> str:
    texts = any(text for text in source.texts(100))
    if preset.condition == "auto":
        return "text" if texts else "label" if source.classes else "none"
    if preset.condition == "text" and not texts:
        raise UsageError(f"preset '{preset.name}' is conditioned on text and the data has no captions")
    if preset.condition == "label" and not source.classes:
        raise UsageError(f"preset '{preset.name}' is conditioned on classes and the data has none")
    return preset.condition
