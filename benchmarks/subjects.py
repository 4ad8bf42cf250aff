"""What is measured: the preset scenes-32 in its own world; for quick runs, a network that takes no time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lodestar.conditions import Schema, Tokenizer
from lodestar.data.scenes.source import ScenesSource
from lodestar.model import Model, load
from lodestar.model_folder import SHIPPED
from lodestar.networks.tower import TowerConfig
from lodestar.networks.unet import UNetConfig
from lodestar.train import Preset, new_model
from lodestar.train.presets import PRESETS, schema_of

NAME = "scenes-32"
_TINY = UNetConfig(
    channels=(16, 32),
    transformers=(0, 1),
    patch=2,
    head=16,
    vector=32,
    tower=TowerConfig(dim=16, convolutions=1, head=16),
)


@dataclass(frozen=True)
class Subject:
    """A preset, its data, and the condition that the two make."""

    preset: Preset
    source: ScenesSource
    schema: Schema

    def fresh(self) -> Model:
        """Untrained."""
        model = new_model(self.preset, self.schema, self.source.resolution)
        model.network.eval()
        return model


def subject(quick: bool) -> Subject:
    chosen, source = PRESETS[NAME], ScenesSource(PRESETS[NAME].resolution)
    if not quick:
        return Subject(chosen, source, schema_of(chosen, source))
    chosen = replace(chosen, network=_TINY, train=replace(chosen.train, images=0, steps=8, batch=4, validate_images=8))
    return Subject(chosen, source, schema_of(chosen, source, Tokenizer.train(source.texts(200), chosen.vocab)))


def model(quick: bool, device: str) -> tuple[Model, str]:
    """The shipped model, or an untrained one of the same preset, which costs the same; and which of them it is."""
    if (SHIPPED / NAME).is_dir() and not quick:
        return load(NAME, device), "as shipped"
    fresh = subject(quick).fresh()
    fresh.network.to(device).requires_grad_(False)
    return fresh, "tiny, untrained" if quick else "untrained (none is shipped)"
