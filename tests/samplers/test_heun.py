"""Heun over long steps: where a straight line in sigma / alpha says nothing, the predictor stands alone."""

import math

import pytest
import torch

from lodestar.core import Noise, Prediction, Step
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine, levels
from lodestar.samplers.ddim import ddim
from lodestar.samplers.heun import heun

ORACLE = GaussianMixture.random(2, 3, torch.Generator().manual_seed(0))
X = Noise(range(16)).normal(-1, 0, (2,)).double()


class Exact:
    def begin(self) -> "Exact":
        return self

    def __call__(self, x: torch.Tensor, at: Step) -> Prediction:
        return ORACLE(x, at.level)


def off() -> float:
    """From where many small steps lead."""
    return float((heun(Exact(), X, levels(Cosine(), 10)) - ddim(Exact(), X, levels(Cosine(), 1000))).norm())


def test_a_cosine_in_ten_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert off() < 0.2
    monkeypatch.setitem(heun.steps.__globals__, "LONGEST", math.inf)
    assert off() > 10
