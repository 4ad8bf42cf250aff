"""Sampling with another null than training dropped to: zeros for what was learnt, an encoded "" for what was zeros."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

import lodestar
from lodestar.core import generator

from .fitted import Features, Fitted, error, noised
from .plane import CLASSES, MIXTURE, NULL, apart, asked, drawn, floor, perfect
from .row import Row

ZEROS = torch.tensor([CLASSES + 1])  # a row of zeros among the embeddings, which training never saw


def measure(n: int) -> list[Row]:
    labels = asked(n)
    network = trained(5 * n)
    guided = drawn(perfect(), labels, "cfg(2)")
    wrong, right = (apart(drawn(network, labels, "cfg(2)", null=null), guided, labels) for null in (ZEROS, NULL))
    return [
        Row("error of eps(x, null)", null_error(network, ZEROS), null_error(network, NULL)),
        Row("scale 2: distance from exact scale 2", wrong, right, floor(labels)),
    ]


@cache
def trained(n: int, width: int = 256) -> Fitted:
    """A network trained to the end on n samples, whose null is an embedding of its own."""
    g = generator(0)
    labels = torch.randint(CLASSES, (n,), generator=g)
    x, t, eps = noised(MIXTURE.sample(n, g, labels), g)
    features = Features.random(width, CLASSES)
    told = lodestar.drop(labels, 0.1, g, null=NULL)
    zeros = torch.cat([features.embeddings[0], torch.zeros(1, width, dtype=torch.float64)])
    return Fitted.trained(eps, Features(features.weights, features.bias, [zeros]), x, t, told)


def null_error(network: Fitted, null: Tensor, n: int = 2000) -> float:
    """Mean squared, under this null."""
    g = generator(1)
    x, t, _ = noised(MIXTURE.sample(n, g), g)
    return error(network(x, t, null.expand(n)), perfect()(x, t, NULL.expand(n)))
