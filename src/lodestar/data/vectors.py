"""A column of lists of numbers as vectors of one length. None may be missing: it is training that drops conditions."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

import torch
from torch import Tensor

from ..errors import UsageError

MOST = torch.finfo(torch.float32).max  # above it lies infinity


def vectors(values: Sequence[object], column: str, dim: int | None = None) -> Tensor:
    """fp32 [N, D]; D is `dim`, or else the first one's length. Raises UsageError for another length, and no numbers."""
    for value in values:
        dim = _length(value) if dim is None else dim
        if not dim or _length(value) != dim:
            wanted = f"{dim} numbers" if dim else "numbers"
            got = shorten(repr(value), 60)
            raise UsageError(f"column '{column}' must hold a list of {wanted} in every row, got {got}")
    return torch.tensor(values, dtype=torch.float32).reshape(len(values), dim or 0)


def _length(value: object) -> int | None:
    """None for what is no list of numbers that fp32 holds."""
    numbers = isinstance(value, Sequence) and all(isinstance(v, int | float) and abs(v) <= MOST for v in value)
    return len(value) if numbers else None  # type: ignore[arg-type]  # which is one then
