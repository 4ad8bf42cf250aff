"""Training a part of a network, as a head on a model that is to stay as it is: all other parameters are left alone."""

from __future__ import annotations

from torch import nn

from ..errors import UsageError


def train_only(network: nn.Module, part: str) -> None:
    """Let only parameters of this part learn, by its name as in `inner` or `encoder.tower`; empty: all of them.

    Raises UsageError for a part that the network has not.
    """
    names = [name for name, _ in network.named_parameters()]
    if part and not any(part_of(part, name) for name in names):
        known = ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
        raise UsageError(f"only '{part}' is to be trained and this network has no such part: it has {known}")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(part_of(part, name))


def part_of(part: str, name: str) -> bool:
    """Whether the parameter of this name is in the part; in no part, that is in all of it, each is."""
    return not part or f"{name}.".startswith(f"{part}.")
