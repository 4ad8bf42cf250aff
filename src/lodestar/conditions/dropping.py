"""Dropping a condition: one line of any training loop.

    condition = drop(condition, 0.1, generator)
    condition = drop(condition, {"text": 0.05, "image": 0.05, "text+image": 0.05}, generator)   # a Joint
    tensor = drop(tensor, 0.1, generator, null=torch.zeros(512))

No model is needed: the null is the condition's own, or for a bare tensor the one that is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import UsageError
from .chances import Dropped, Rate, coins
from .condition import Condition
from .joint import Joint

T = TypeVar("T", bound="Condition | Tensor")


def drop(
    condition: T,
    p: Rate | Mapping[str, Rate],
    generator: torch.Generator | None = None,
    *,
    null: Tensor | float | None = None,
) -> T:
    """The condition with the null in some of its rows: one coin a sample, thrown in the training step.

    Args:
        condition: B of them, or a bare tensor [B, ...].
        p: the probability, or one for each sample [B]; for a Joint also a table of them, by the parts that go together.
            A Joint without a table loses all its parts at once, but for those that are always on.
        null: what a bare tensor's null is, to broadcast against its rows.

    Raises UsageError for what is no probability, and for parts that the condition has not or that are always on.
    """
    return without(condition, coins(len(condition), p, generator), null)


def without(condition: T, dropped: Dropped, null: Tensor | float | None = None) -> T:
    """The null where the coins have fallen, of all or part by part."""
    if isinstance(condition, Joint):
        return condition.without(dropped)  # type: ignore[return-value]  # mypy does not narrow T
    if isinstance(dropped, dict):
        raise UsageError(f"a drop table is for a Joint, and the condition is {type(condition).__name__}: give a number")
    if not isinstance(condition, Tensor):
        return condition.without(dropped)
    if null is None:
        raise UsageError("a tensor condition does not know its null: pass null=...")
    gone = dropped.to(condition.device).reshape((-1,) + (1,) * (condition.ndim - 1))
    return torch.where(gone, torch.as_tensor(null).to(condition), condition)  # type: ignore[return-value]
