"""Starting from another model's weights: whatever fits is taken over, and the rest is new.

So an unconditional model can be given a text or class condition, a model can go on with other captions, and one of
texts can learn to read a picture beside them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..conditions import Tokenizer, tokenizer_in
from ..data import Source
from ..errors import UsageError
from ..likelihood import Likelihood
from ..model import Model
from .presets import TOKENIZER_TEXTS

LEAST = 0.25  # share of the other model's weights that must find a place; below it is another network


@dataclass(frozen=True)
class Taken:
    """What was found in the other model."""

    copied: tuple[str, ...]  # names of tensors
    new: tuple[str, ...]
    left: tuple[str, ...]  # of the other model, without a place here

    def __str__(self) -> str:
        text = f"{len(self.copied)} of {len(self.copied) + len(self.new)} tensors taken over"
        text += f"; new: {grouped(self.new)}" if self.new else ""
        return text + (f"; left behind: {grouped(self.left)}" if self.left else "")


@torch.no_grad()
def take_over(network: nn.Module, model: Model | Likelihood) -> Taken:
    """Copy all weights whose names and shapes fit. Raises UsageError if hardly any do."""
    own, other = network.state_dict(), model.network.state_dict()
    fits = _fitting(own, other)
    share = sum(other[name].numel() for name in {*fits.values()}) / sum(t.numel() for t in other.values())
    if share < LEAST:
        fit = f"{share:.0%} of the weights of model '{model.name}' fit this network"
        raise UsageError(f"only {fit}: give --init a model with the same widths, or the preset its widths")
    for name, at in fits.items():
        own[name].copy_(other[at])
    return Taken(*(tuple(n for n in names) for names in _split(own, other, fits)))


def tokenizer_of(model: Model | Likelihood | None, source: Source) -> Tokenizer | None:
    """Its tokenizer, which its token embeddings are of, and which has now read this source's texts too."""
    tokenizer = tokenizer_in(model.schema) if model else None
    return tokenizer and tokenizer.having_read(source.texts(TOKENIZER_TEXTS))


def _fitting(own: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, str]:
    """Of each name that finds a tensor of its shape, where: what is of one of several conditions may stand alone."""
    alone = {_alone(name): name for name in reversed([*other])}  # of several alike the first
    found = {name: name if name in other else alone.get(_alone(name), "") for name in own}
    return {name: at for name, at in found.items() if at and own[name].shape == other[at].shape}


def _alone(name: str) -> str:
    """The name of a tensor in a model of this condition alone: encoder.parts.0.tower... is encoder.tower... there."""
    return re.sub(r"\bparts\.\d+\.", "", name)


def _split(own: Iterable[str], other: Iterable[str], fits: Mapping[str, str]) -> tuple[list[str], ...]:
    new = [n for n in own if n not in fits]
    return sorted(fits), new, [n for n in other if n not in fits.values() and n not in new]


def grouped(names: Iterable[str]) -> str:
    """Names by their first two parts, with how many there are."""
    counts = Counter(".".join(name.split(".")[:2]) for name in names)
    return ", ".join(f"{group} ({count})" if count > 1 else group for group, count in counts.items())
