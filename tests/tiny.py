"""Models small enough for tests: random weights, 8x8 pixels."""

from dataclasses import replace

import torch

from lodestar.conditions import LabelSchema, Schema, TextSchema, Tokenizer
from lodestar.model import Model
from lodestar.networks.tower import TowerConfig
from lodestar.networks.unet import UNet, UNetConfig
from lodestar.process import Flow

TOKENIZER = Tokenizer.train(["a red circle above a blue square", "a green star"], 320)
TEXT = TextSchema(length=8, tokenizer=TOKENIZER)
LABEL = LabelSchema(("cat", "dog", "owl"))
CONFIG = UNetConfig(
    channels=(8, 16),
    transformers=(0, 1),
    head=8,
    vector=16,
    tower=TowerConfig(dim=16, convolutions=1, depth=1, head=8),
)


INNER = replace(CONFIG, inner=1)


def tiny(schema: Schema = TEXT, config: UNetConfig = CONFIG, **others: object) -> Model:
    """A model whose prediction depends on all that it is given."""
    torch.manual_seed(0)
    network = UNet(config, schema)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # fresh networks are zero at the end, on purpose
    model = {"process": Flow(), "kind": "flow", "shape": (3, 8, 8), "name": "tiny", "card": {"steps": 3}, **others}
    return Model(network.eval(), schema=schema, **model)
