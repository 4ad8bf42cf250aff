"""The values in a rule's fields: one number for the batch, or one for each sample.

What a user may give (a number, a list, a tensor) becomes a float or a `PerSample` when the rule is made, so that rules
compare, hash and print, and no rule depends on a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from math import inf, isfinite
from numbers import Real
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from ..errors import UsageError

Number: TypeAlias = float | Sequence[float] | Tensor
Range: TypeAlias = tuple[float, float]  # both ends are in it
R = TypeVar("R")


class PerSample(tuple[float, ...]):
    """One number for each sample of the batch."""

    __slots__ = ()


def settle(owner: object, *names: str) -> None:
    """Check the fields of these names and store each as a float or a PerSample. For `__post_init__`.

    Raises UsageError for what is no number, nan, or outside of the field's range in the owner's `ranges`, whose ends
    are in it; without a range, for what is infinite.
    """
    for name in names:
        value = number(name, getattr(owner, name), getattr(owner, "ranges", {}).get(name))
        object.__setattr__(owner, name, value)  # the dataclass is frozen, and this is still its birth


def number(name: str, value: object, within: Range | None = None) -> float | PerSample:
    """The value as a float or a PerSample, or a UsageError that calls it by this name; None: any finite number."""
    if isinstance(value, Tensor):
        value = _listed(name, value)
    if not isinstance(value, list | tuple):
        return _float(name, value, within)
    if not value:
        raise UsageError(f"{name} must be a number, or one for each sample, got an empty list")
    return PerSample(_float(name, each, within) for each in value)


def _float(name: str, value: object, within: Range | None) -> float:
    least, most = within or (-inf, inf)
    must = "be finite" if within is None else f"lie in [{least:g}, {most:g}]"
    if isinstance(value, bool) or not isinstance(value, Real):
        shown = repr(value) if isinstance(value, str) else str(value)
        raise UsageError(f"{name} must {must}, got {shown} (give a number, or one for each sample)")
    try:
        found = float(value)
    except OverflowError:
        raise UsageError(f"{name} must {must}, got a number of more than 308 digits") from None
    if not least <= found <= most or (within is None and not isfinite(found)):
        raise UsageError(f"{name} must {must}, got {found:g}")
    return found


def _listed(name: str, tensor: Tensor) -> object:
    """Python numbers with the tensor's own digits: 2.6 in fp32 is 2.6, not 2.5999999046."""
    if tensor.ndim > 1:
        raise UsageError(f"{name} must be a number, or one for each sample, got a tensor of shape {[*tensor.shape]}")
    if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return tensor.tolist()
    digits = [float(str(each)) for each in tensor.detach().cpu().float().reshape(-1).numpy()]
    return digits if tensor.ndim else digits[0]


def values(number: Number) -> Tensor:
    """A field as a float64 tensor, [] or [B]."""
    return torch.as_tensor(number, dtype=torch.float64)


def weight(number: Number, x: Tensor) -> float | Tensor:
    """A field as what multiplies predictions of x [B, ...]: a float, or a tensor [B] in float64 on x's device."""
    return values(number).to(x.device) if isinstance(number, PerSample) else float(number)  # type: ignore[arg-type]


def take(rule: R, rows: Sequence[int] | slice) -> R:
    """The same rule for these samples of the batch alone: what a batch that is split gives to each part."""
    return _map(rule, lambda v: PerSample(v[rows] if isinstance(rows, slice) else (v[i] for i in rows)))


def lengths(value: object, name: str = "") -> Iterator[tuple[str, int]]:
    """Name and length of every per-sample field, inner rules' too, and of those in tuples."""
    if isinstance(value, PerSample):
        yield name, len(value)
    elif isinstance(value, tuple):
        for each in value:
            yield from lengths(each, name)
    for field, each in _fields(value):
        yield from lengths(each, field)


def _map(value: Any, change: Callable[[PerSample], PerSample]) -> Any:
    if isinstance(value, PerSample):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_map(each, change) for each in value)
    new = {k: _map(v, change) for k, v in _fields(value)}
    return replace(value, **new) if new else value


def _fields(rule: object) -> list[tuple[str, object]]:
    known = fields(rule) if is_dataclass(rule) and not isinstance(rule, type) else ()
    return [(f.name, getattr(rule, f.name)) for f in known if f.init]
