"""The state of any torch optimizer as named tensors, `parameter:key`, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import UsageError


def moments(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """What the optimizer remembers of each parameter."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    return {
        f"{names[parameter]}:{key}": torch.as_tensor(value)
        for parameter, entries in optimizer.state.items()
        for key, value in entries.items()
    }


def set_moments(optimizer: Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `moments`. Raises UsageError if a name is no parameter of the network."""
    parameters = dict(network.named_parameters())
    order = [p for group in optimizer.param_groups for p in group["params"]]
    index = {p: i for i, p in enumerate(order)}
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        owner, _, key = name.rpartition(":")
        if owner not in parameters or parameters[owner] not in index:
            raise UsageError(f"is of another network or optimizer ('{name}' does not fit)")
        state.setdefault(index[parameters[owner]], {})[key] = _like(parameters[owner], tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """In the memory layout of its parameter, which a fused optimizer counts on."""
    return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
