"""Where the mistakes are made: three classes in the plane whose noise is known exactly, as a user's own code has them.

Networks are called (x [R, 2], t [R], labels [R]) and put out eps; t counts DDPM's steps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import lodestar
from lodestar.conditions import Label
from lodestar.core import generator
from lodestar.figure.mixture import CLASSES, Together, triangle
from lodestar.oracle import GaussianMixture, sliced_w1
from lodestar.process import DDPM, levels
from lodestar.samplers.ddim import ddim

MIXTURE = triangle()
NULL = torch.tensor([CLASSES])  # one label more than there are classes
PROCESS = DDPM()

Network = Callable[..., Tensor]


def perfect(mixture: GaussianMixture = MIXTURE) -> Network:
    """The network that has learnt all there is to learn of a mixture."""
    null = int(mixture.classes.max()) + 1

    def network(x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        return mixture(x, PROCESS.at_timestep(t), Label(torch.where(labels == null, -1, labels))).eps

    return network


def asked(n: int) -> Tensor:
    """Labels [n], as many of each class."""
    return torch.arange(CLASSES).repeat_interleave(n // CLASSES)


def true(labels: Tensor, seed: int = 0) -> Tensor:
    """What should be drawn without guidance, [B, 2]."""
    return MIXTURE.sample(len(labels), generator(seed), labels)


def drawn(network: Network, labels: Tensor, rule: str = "cfg(1)", steps: int = 20, null: Tensor = NULL) -> Tensor:
    """Samples [B, 2] by DDIM, from the same noise every time."""
    denoise = lodestar.guide(rule, network, labels, kind="eps", process=PROCESS, named={"null": null})
    start = Together(range(len(labels))).normal(-1, 0, (2,)).double()
    return ddim(denoise, start, levels(PROCESS, steps, "trailing"))


def apart(x: Tensor, y: Tensor, labels: Tensor) -> float:
    """Sliced W1 between samples [B, 2] of the same labels, the mean over classes."""
    each = [float(sliced_w1(x[labels == c], y[labels == c])) for c in range(CLASSES)]
    return sum(each) / CLASSES


def floor(labels: Tensor) -> float:
    """What two exact draws are apart."""
    return apart(true(labels, 0), true(labels, 1), labels)


def as_asked(x: Tensor, labels: Tensor) -> float:
    """The share of samples [B, 2] that are likeliest of the class that was asked."""
    each = [MIXTURE.log_density(x, labels=torch.full_like(labels, c)) for c in range(CLASSES)]
    return float((torch.stack(each, 1).argmax(1) == labels).double().mean())
