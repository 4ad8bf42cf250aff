"""Numbers as a condition: zero where there are none, with a mask that tells those from numbers that are zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from ..errors import UsageError
from .condition import Rows


@dataclass(frozen=True)
class Dense(Rows):
    """The numbers of each sample; the null is zero and not present."""

    values: Tensor  # [B, ...], floats
    present: Tensor = None  # type: ignore[assignment]  # bool [B]; all, if nothing is said
    axes: ClassVar[str]  # of values

    def __post_init__(self) -> None:
        if self.values.ndim != self.axes.count(",") + 1 or not self.values.is_floating_point():
            got = f"{str(self.values.dtype).removeprefix('torch.')} {list(self.values.shape)}"
            raise UsageError(f"{type(self).__name__} needs floats [{self.axes}], got {got}")
        if self.present is None:
            present = torch.ones(len(self.values), dtype=torch.bool, device=self.values.device)
            object.__setattr__(self, "present", present)  # the dataclass is frozen, and this is still its birth

    def without(self, mask: Tensor) -> Self:
        gone = mask.to(self.present.device)
        wide = gone.reshape((-1,) + (1,) * (self.values.ndim - 1))
        return type(self)(self.values.masked_fill(wide, 0), self.present & ~gone)

    def null(self) -> Self:
        return type(self)(torch.zeros_like(self.values), torch.zeros_like(self.present))

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        shapes = sorted({tuple(p.values.shape[1:]) for p in parts})
        if len(shapes) != 1:
            raise UsageError(f"{cls.__name__} conditions of different schemas do not stack: shapes are {shapes}")
        return cls(torch.cat([p.values for p in parts]), torch.cat([p.present for p in parts]))

    @classmethod
    def of(cls, rows: Sequence[object], shape: tuple[int, ...]) -> Self:
        """Numbers of this shape, or None for the null, as a condition [B]."""
        values = [torch.zeros(shape) if row is None else _row(row, shape, cls.__name__) for row in rows]
        return cls(torch.stack(values), torch.tensor([row is not None for row in rows]))


def _row(row: object, shape: tuple[int, ...], name: str) -> Tensor:
    try:
        values = torch.as_tensor(row)
    except (TypeError, ValueError, RuntimeError):
        raise UsageError(f"{name} takes numbers {list(shape)}, got {row!r}") from None
    if values.shape != shape or values.dtype == torch.uint8:
        mend = "make bytes floats in [-1, 1]" if values.dtype == torch.uint8 else "give that shape"
        raise UsageError(f"{name} takes floats {list(shape)}, got {values.dtype} {list(values.shape)}: {mend}")
    return values.float()
