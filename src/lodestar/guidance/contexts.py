"""The conditions of one batch by what an Ask says of them, and what the network makes of them.

A condition is anything batch first with `len`, `[rows]`, `cat(parts)` and `null()`, or a bare tensor [B, ...] whose
null is passed by name; what a network's `encode` returns needs the first three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias, cast

import torch
from torch import Tensor

from ..errors import UsageError
from .rule import Ask


class Batched(Protocol):
    """A batch of B things."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> Self: ...
    @classmethod
    def cat(cls, parts: Sequence[Self], /) -> Self: ...


Values: TypeAlias = Batched | Tensor | None  # None: the network takes no condition
Encode: TypeAlias = Callable[[Values], Values]


class Conditions:
    """The user's condition, its null, and the named ones, each [B, ...]."""

    def __init__(self, condition: Values, named: Mapping[str, Values]) -> None:
        self._condition, self.named = condition, named
        self._empty = "null" not in named and _says_nothing(condition)

    def key(self, ask: Ask) -> Ask:
        """The ask without its rows; to drop what says nothing is to ask nothing special."""
        return Ask(drop=ask.drop and not self._empty, replace=ask.replace)

    def of(self, ask: Ask, n: int) -> Values:
        """The condition [n, ...] that this ask means; a named one of length 1 serves every sample."""
        name = ask.replace or ("null" if ask.drop and "null" in self.named else None)
        if name is not None:
            return _spread(self._find(name), n, name)
        condition = _spread(self._condition, n, "the condition")
        return _null(condition) if ask.drop else condition

    def _find(self, name: str) -> Values:
        if name not in self.named:
            given = f"pass {name}=... with your prompt, or named={{{name!r}: ...}} to guide"
            raise UsageError(f"this guidance needs a condition named '{name}': {given}")
        return self.named[name]


class Contexts:
    """What the network reads, by ask and rows: each condition is encoded once, and the last stack is kept."""

    def __init__(self, conditions: Conditions, encode: Encode | None, n: int) -> None:
        self._conditions, self._encode, self.n = conditions, encode, n
        self._known: dict[Ask, Values] = {}

    def stack(self, asks: Sequence[Ask], rows: Sequence[Tensor | None]) -> Values:
        """The rows (indices; None: all) of every ask, one after the other."""
        self._learn([a for a in asks if a not in self._known])
        known = [self._known[a] for a in asks]
        return _join([v if v is None or r is None else v[r] for v, r in zip(known, rows, strict=True)])

    def _learn(self, asks: Sequence[Ask]) -> None:
        """Encode what these mean, all in one go."""
        if not asks:
            return
        whole = _join([self._conditions.of(a, self.n) for a in asks])
        if self._encode is not None:
            whole = _spread(self._encode(whole), len(asks) * self.n, "what encode returned")
        for i, ask in enumerate(asks):
            self._known[ask] = None if whole is None else whole[i * self.n : (i + 1) * self.n]


def _says_nothing(condition: Values) -> bool:
    present = getattr(condition, "present", None)
    return condition is None or (isinstance(present, Tensor) and not bool(present.any()))


def _null(condition: Values) -> Values:
    if isinstance(condition, Tensor):
        raise UsageError("a tensor condition does not know its null: pass named={'null': ...} to guide")
    return None if condition is None else cast("Values", condition.null())  # type: ignore[attr-defined]


def _spread(values: Values, n: int, what: str) -> Values:
    if values is None or len(values) == n:
        return values
    if len(values) != 1:
        raise UsageError(f"{what} has {len(values)} rows for a batch of {n}: give one for each sample")
    return values[torch.zeros(n, dtype=torch.long)]


def _join(parts: Sequence[Values]) -> Values:
    if len(parts) == 1 or all(p is None for p in parts):
        return parts[0]
    if any(p is None for p in parts):
        raise UsageError("some of the conditions are None and some are not: give the user's own condition as well")
    if isinstance(parts[0], Tensor):
        return torch.cat(cast("list[Tensor]", parts))
    batches = cast("Sequence[Batched]", parts)
    return type(batches[0]).cat(batches)
