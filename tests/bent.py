"""A denoiser that is no straight line, and levels for it: for samplers whose steps are compared with their formulas."""

import torch
from torch import Tensor

from lodestar.core import Level, Prediction, Step
from lodestar.process import Cosine


class Bent:
    def begin(self) -> "Bent":
        return self

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        return Prediction(torch.tanh(x), x.cos())


def at_lam(*lams: float) -> list[Level]:
    return [Cosine().level(Cosine().u_of(torch.tensor(lam))) for lam in lams]


X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(3, 2)
