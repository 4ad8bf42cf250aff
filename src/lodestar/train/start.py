"""Starting from another model's weights: whatever fits is taken over, and the rest is new.

So an unconditional model can be given a text or class condition, and a model can go on with other captions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from ..conditions import Schema, TextSchema, Tokenizer
from ..errors import UsageError
from ..model import Model

LEAST = 0.25  # share of the other model's weights that must find a place; below it is another network


@dataclass(frozen=True)
class Taken:
    """What was found in the other model."""

    copied: tuple[str, ...]  # names of tensors
    new: tuple[str, ...]
    left: tuple[str, ...]  # of the other model, without a place here

    def __str__(self) -> str:
        text = f"{len(self.copied)} of {len(self.copied) + len(self.new)} tensors taken over"
        text += f"; new: {_groups(self.new)}" if self.new else ""
        return text + (f"; left behind: {_groups(self.left)}" if self.left else "")


@torch.no_grad()
def take_over(network: nn.Module, model: Model) -> Taken:
    """Copy all weights whose names and shapes fit. Raises UsageError if hardly any do."""
    own, other = network.state_dict(), model.network.state_dict()
    fits = {name for name in own if name in other and own[name].shape == other[name].shape}
    share = sum(own[name].numel() for name in fits) / sum(t.numel() for t in other.values())
    if share < LEAST:
        fit = f"{share:.0%} of the weights of model '{model.name}' fit this network"
        raise UsageError(f"only {fit}: give --init a model with the same widths, or the preset its widths")
    for name in fits:
        own[name].copy_(other[name])
    return Taken(*(tuple(n for n in names) for names in _split(own, other, fits)))


def tokenizer_of(model: Model | None) -> Tokenizer | None:
    """Its tokenizer, which its token embeddings are of."""
    schema: Schema = model.schema if model else None
    return schema.tokenizer if isinstance(schema, TextSchema) else None


def _split(own: Iterable[str], other: Iterable[str], fits: set[str]) -> tuple[list[str], list[str], list[str]]:
    new = [n for n in own if n not in fits]
    return sorted(fits), new, [n for n in other if n not in fits and n not in new]


def _groups(names: Iterable[str]) -> str:
    """Names by their first two parts, with how many there are."""
    counts = Counter(".".join(name.split(".")[:2]) for name in names)
    return ", ".join(f"{group} ({count})" if count > 1 else group for group, count in counts.items())
