"""One coin for a whole batch, and a coin that still falls while sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import lodestar
from lodestar.core import generator

from .fitted import Features, Fitted, noised
from .plane import CLASSES, MIXTURE, NULL, Network, as_asked, asked, drawn, perfect
from .row import Row

BATCH, STEPS = 64, 100  # of a short fine-tuning that adds the null to a conditional network
RATE = 0.01  # of gradient descent
Drop = Callable[[Tensor, torch.Generator], Tensor]


def one_coin(labels: Tensor, generator: torch.Generator) -> Tensor:
    if torch.rand((), generator=generator) < 0.1:
        labels = torch.full_like(labels, CLASSES)
    return labels


def own_coins(labels: Tensor, generator: torch.Generator) -> Tensor:
    return lodestar.drop(labels, 0.1, generator, null=NULL)


@dataclass
class CoinInside:
    network: Network
    p: float = 0.1

    def __call__(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        gone = torch.rand(len(labels)) < self.p
        return self.network(x, t, torch.where(gone, CLASSES, labels))


def measure(n: int) -> list[Row]:
    labels = asked(n)
    good = as_asked(drawn(perfect(), labels), labels)
    wrong, right = (torch.stack([shares(drop, run) for run in range(100)]) for drop in (one_coin, own_coins))
    unlucky, learnt = (_spread(null_errors(drop, n)) for drop in (one_coin, own_coins))
    return [
        Row("a coin a batch: steps without a null", _none(wrong), _none(right), share=True),
        Row(f"nulls in {STEPS} steps, spread between runs", _spread(wrong.mean(1)), _spread(right.mean(1)), share=True),
        Row("the null's error after them, spread between runs", unlucky, learnt, share=True),
        Row("a coin of 0.1 while sampling: samples of the class asked", falling(labels, 0.1), good, share=True),
        Row("a coin of 0.5 while sampling: samples of the class asked", falling(labels, 0.5), good, share=True),
    ]


def shares(drop: Drop, run: int) -> Tensor:
    """The share of nulls in each step [STEPS] of a run."""
    g = generator(run)
    batches = (drop(torch.zeros(BATCH, dtype=torch.long), g) for _ in range(STEPS))
    return torch.stack([(b == CLASSES).double().mean() for b in batches])


def null_errors(drop: Drop, n: int, runs: int = 48, steps: int = STEPS) -> Tensor:
    """The null's mean squared error [runs] after so many steps of gradient descent from a network that has
    learnt the conditional alone."""
    g = generator(0)
    labels = torch.randint(CLASSES, (4 * n,), generator=g)
    x, t, eps = noised(MIXTURE.sample(len(labels), g, labels), g)
    features = Features.random(128, CLASSES)
    last = Fitted.trained(eps, features, x, t, labels).last.expand(runs, -1, -1)
    for _ in range(steps):
        labels = torch.randint(CLASSES, (runs, BATCH), generator=g)
        x, t, eps = noised(MIXTURE.sample(labels.numel(), g, labels.flatten()), g)
        told = torch.cat([drop(row, g) for row in labels])
        f = features(x, t, told).reshape(runs, BATCH, -1)
        last = last - RATE * f.mT @ (f @ last - eps.reshape(runs, BATCH, 2)) / BATCH
    null = NULL.expand(n)
    x, t, _ = noised(MIXTURE.sample(n, g), g)
    return (features(x, t, null) @ last - perfect()(x, t, null)).square().mean((1, 2))


def _none(shares: Tensor) -> float:
    return float((shares == 0).double().mean())


def _spread(runs: Tensor) -> float:
    """The standard deviation over runs [R], in units of their mean."""
    return float(runs.std() / runs.mean())


def falling(labels: Tensor, p: float) -> float:
    """The share of samples of the class asked, drawn with the coin of training."""
    torch.manual_seed(0)
    return as_asked(drawn(CoinInside(perfect(), p), labels), labels)
