"""What a rule draws at random: a function of its seed and of the step, so that a trajectory can be repeated."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from ....core import Step, generator
from ....errors import UsageError
from ...fields import Number, settle, values


def draws(seed: Number, at: Step, draw: Callable[[Generator], Tensor]) -> Tensor:
    """What is drawn in this step, [] or [B] as the seed is; both evaluations of a step draw alike."""
    seeds = values(seed)
    drawn = [draw(generator(int(s), at.index)) for s in seeds.reshape(-1).tolist()]
    return torch.stack(drawn).reshape(seeds.shape)


def settle_seed(rule: object, name: str) -> None:
    """Check that the field has a whole number, or one for each sample, and store it."""
    settle(rule, name)
    seed = getattr(rule, name)
    if (values(seed) != values(seed).floor()).any():
        raise UsageError(f"{name} must be a whole number, or one for each sample, got {seed}")
