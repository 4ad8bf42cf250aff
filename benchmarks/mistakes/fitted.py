"""A network small enough to be trained to the very end, so that what is seen is the mistake and not the optimiser.

One hidden layer of random features (Rahimi & Recht 2007, "Random features for large-scale kernel machines"), of which
training finds the last weights: the loss is a sum of squares, with one minimum, found by least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lodestar.core import generator

from .plane import PROCESS

RIDGE = 1e-5  # of the mean square of a feature


@dataclass(frozen=True, eq=False)
class Features:
    """What the hidden layer says [R, width + 3] of x [R, 2], steps t [R] and labels [R], several of them if need be."""

    weights: Tensor  # [4, width]
    bias: Tensor  # [width]
    embeddings: Sequence[Tensor]  # [classes + 1, width] each, the null last

    @classmethod
    def random(cls, width: int, *classes: int, seed: int = 0) -> Features:
        g = generator(seed)
        weights = torch.tensor([1.5, 1.5, 2.0, 2.0])[:, None] * torch.randn(4, width, generator=g)
        bias, *embeddings = (torch.randn(n, width, generator=g).double() for n in (1, *(c + 1 for c in classes)))
        return cls(weights.double(), bias[0], embeddings)

    def __call__(self, x: Tensor, t: Tensor, *labels: Tensor) -> Tensor:
        angle = PROCESS.at_timestep(t).angle
        read = torch.cat([x.double(), torch.stack([angle.cos(), angle.sin()], 1)], 1)
        said = sum((e[c] for e, c in zip(self.embeddings, labels, strict=True)), self.bias)
        return torch.cat([(read @ self.weights + said).tanh(), x.double(), torch.ones(len(x), 1).double()], 1)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network: (x, t, *labels) -> eps [R, 2]."""

    features: Features
    last: Tensor  # [width + 3, 2]

    @classmethod
    def trained(cls, eps: Tensor, features: Features, *inputs: Tensor) -> Fitted:
        """Trained to say eps [N, 2] of these inputs (x, t, *labels)."""
        f = features(*inputs)
        square = f.T @ f
        ridge = RIDGE * len(f) * torch.eye(len(square), dtype=square.dtype)
        return cls(features, torch.linalg.solve(square + ridge, f.T @ eps.double()))

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.features(*inputs) @ self.last


def noised(x0: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A training batch of clean samples [N, 2]: x [N, 2], t [N], eps [N, 2]."""
    t = torch.randint(PROCESS.steps, (len(x0),), generator=g)
    eps, at = torch.randn(x0.shape, generator=g, dtype=torch.float64), PROCESS.at_timestep(t).like(x0)
    return at.alpha * x0 + at.sigma * eps, t, eps


def error(said: Tensor, truth: Tensor) -> float:
    """Mean squared."""
    return float((said - truth).square().mean())
