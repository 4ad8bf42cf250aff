"""Classifiers and CLIPs small enough for tests: random weights, 8x8 pixels."""

import torch

from lodestar.conditions import Schema
from lodestar.likelihood import Likelihood
from lodestar.networks.classifier import Classifier, ClassifierConfig
from lodestar.networks.clip import Clip, ClipConfig
from lodestar.networks.encoder import ImageEncoderConfig
from lodestar.networks.tower import TowerConfig
from lodestar.process import Flow
from tiny import LABEL, TEXT

IMAGE = ImageEncoderConfig(channels=(8, 16), transformers=(0, 1), patch=1, head=8, vector=16)
CLASSIFIER = ClassifierConfig(IMAGE)
CLIP = ClipConfig(IMAGE, TowerConfig(dim=16, convolutions=1, depth=1, head=8), features=8)


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """With weights that make all that it is given count: a fresh one is zero at the end, on purpose."""
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        if name != "logit_scale":
            torch.nn.init.normal_(parameter, std=0.3)
    return network.eval().requires_grad_(False)


def classifier(schema: Schema = LABEL, **others: object) -> Likelihood:
    return Likelihood(**{**_common(shaken(Classifier(CLASSIFIER, schema)), schema), **others})  # type: ignore[arg-type]


def clip(**others: object) -> Likelihood:
    return Likelihood(**{**_common(shaken(Clip(CLIP, TEXT)), TEXT), **others})  # type: ignore[arg-type]


def _common(network: torch.nn.Module, schema: Schema) -> dict[str, object]:
    return {"network": network, "process": Flow(), "schema": schema, "shape": (3, 8, 8), "name": "judge"}
