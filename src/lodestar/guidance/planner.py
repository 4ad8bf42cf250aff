"""Binds a rule to a network: what a step asks becomes one forward pass, counted exactly.

Equal asks are one. All of a step's asks are stacked into one batch, whose shape is the same at every step that asks the
same; `max_rows` splits it evenly. Conditions are encoded once a trajectory. Rows that nobody asks are not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import KINDS, Kind, Level, Prediction, Step, convert
from ..errors import UsageError, unknown
from .contexts import Conditions, Contexts, Values
from .fields import lengths
from .language import parse
from .rule import Ask, Asks, Rule, View, either

Predict = Callable[[Tensor, Level, Any], Prediction | Tensor]


def guide(
    rule: Rule | str,
    predict: Predict,
    condition: Values = None,
    *,
    kind: Kind | None = None,
    named: Mapping[str, Values] | None = None,
    max_rows: int | None = None,
) -> Guided:
    """A rule and a network as a Denoise.

    Args:
        rule: a rule, or its text such as "interval(cfg(4), lo=.28, hi=5.4)".
        predict: `(x [R, ...], level, condition) -> Prediction`, or with `kind` any network that returns a tensor. If it
            has `encode(condition)`, it gets what that returned in place of the condition.
        condition: one for each sample; None for a network that takes none.
        kind: what the network puts out: eps, v, x0 or flow.
        named: other conditions that rules ask for by name, such as "negative"; "null" is for bare tensors.
        max_rows: the most rows in one forward pass; None: all that a step asks.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind", str(kind), KINDS)
    if max_rows is not None and max_rows < 1:
        raise UsageError(f"max_rows must be at least 1, got {max_rows}")
    rule = parse(rule) if isinstance(rule, str) else rule
    return Guided(rule, Network(predict, kind, max_rows), Conditions(condition, dict(named or {})))


@dataclass
class Network:
    """The user's network, its output made into predictions, in passes of at most max_rows."""

    predict: Predict
    kind: Kind | None
    max_rows: int | None

    def __call__(self, x: Tensor, level: Level, context: Values) -> list[Prediction]:
        """One prediction for each forward pass over x [R, ...]."""
        passes = -(-len(x) // (self.max_rows or len(x)))
        if passes == 1:
            return [self._once(x, level, context)]
        size = -(-len(x) // passes)
        rows = (slice(i, i + size) for i in range(0, len(x), size))
        return [self._once(x[r], level[r], None if context is None else context[r]) for r in rows]

    def _once(self, x: Tensor, level: Level, context: Values) -> Prediction:
        out = self.predict(x, level, context)
        if isinstance(out, Prediction) and self.kind is None:
            return out
        if isinstance(out, Tensor) and self.kind is not None:
            return convert(self.kind, out, x, level)
        got = (
            "a Prediction: leave kind out"
            if isinstance(out, Prediction)
            else "a tensor: say kind=, one of eps, v, x0, flow"
        )
        raise UsageError(f"the network returns {got}")


@dataclass(frozen=True)
class Batch:
    """The network rows of one step: every distinct ask's samples, one ask after the other."""

    asks: tuple[Ask, ...]
    rows: tuple[Tensor | None, ...]  # sample indices of each ask; None: all
    index: Tensor  # int64 [R], the sample of each network row
    whole: bool  # every sample once, in order: nothing to gather
    context: Values = None

    def gather(self, x: Tensor, level: Level) -> tuple[Tensor, Level]:
        return (x, level) if self.whole else (x[self.index], level[self.index.to(level.alpha.device)])

    def spread(self, out: Prediction, n: int) -> dict[Ask, Prediction]:
        """Each ask's prediction [n, ...]: views where it asked all samples, zeros where it did not ask."""
        found, start = {}, 0
        for ask, rows in zip(self.asks, self.rows, strict=True):
            stop = start + (n if rows is None else len(rows))
            found[ask] = out[start:stop] if rows is None else _scatter(out[start:stop], rows, n)
            start = stop
        return found


@dataclass
class Tally:
    """What a trajectory cost."""

    evaluations: int = 0  # network rows
    calls: int = 0  # forward passes


class Guided:
    """A rule bound to a network and its conditions: a Denoise that counts.

    It can be called as it is, but a sampler calls `begin()` first. The counts are those of the trajectory begun last.
    """

    def __init__(self, rule: Rule, network: Network, conditions: Conditions) -> None:
        self.rule, self.network, self.conditions = rule, network, conditions
        self._running, self._lengths = rule.begin(), list(lengths(rule))
        self._tally = Tally()
        self._contexts: Contexts | None = None
        self._batches: dict[object, Batch] = {}  # the last one

    @property
    def evaluations(self) -> int:
        """Network rows evaluated."""
        return self._tally.evaluations

    @property
    def calls(self) -> int:
        """Forward passes."""
        return self._tally.calls

    def begin(self) -> Guided:
        fresh = Guided(self.rule, self.network, self.conditions)
        self._tally = fresh._tally
        return fresh

    def asks(self, at: Step) -> Asks:
        """What the rule asks at this step."""
        return self._running.asks(at)

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        for name, length in self._lengths:
            if length != len(x):
                mend = "give one number, or one for each sample"
                raise UsageError(f"{name} has {length} values for a batch of {len(x)}: {mend}")
        return self._running(View(x, self._predictions(x, at.level, self._running.asks(at))), at)

    def _predictions(self, x: Tensor, level: Level, asks: Asks) -> dict[str, Prediction]:
        keys = {name: self.conditions.key(ask) for name, ask in asks.items()}
        wanted = merge((keys[name], ask) for name, ask in asks.items())
        found = self._run(x, level, self._batch(wanted, x)) if wanted else {}
        return {name: found[key] if key in found else _nothing(x) for name, key in keys.items()}

    def _run(self, x: Tensor, level: Level, batch: Batch) -> dict[Ask, Prediction]:
        passes = self.network(*batch.gather(x, level), batch.context)
        self._tally.evaluations += len(batch.index)
        self._tally.calls += len(passes)
        return batch.spread(_cat(passes), len(x))

    def _batch(self, wanted: Mapping[Ask, Tensor | None], x: Tensor) -> Batch:
        """The batch for these asks, kept while the steps go on asking the same."""
        key = (len(x), tuple((a, None if r is None else tuple(r.tolist())) for a, r in wanted.items()))
        if key not in self._batches:
            self._batches = {key: self._stacked(wanted, x)}
        return self._batches[key]

    def _stacked(self, wanted: Mapping[Ask, Tensor | None], x: Tensor) -> Batch:
        everyone = torch.arange(len(x), device=x.device)
        asks = tuple(wanted)
        rows = tuple(None if r is None else r.nonzero()[:, 0].to(x.device) for r in wanted.values())
        index = torch.cat([everyone if r is None else r for r in rows])
        if self._contexts is None or self._contexts.n != len(x):
            self._contexts = Contexts(self.conditions, getattr(self.network.predict, "encode", None), len(x))
        return Batch(asks, rows, index, rows == (None,), self._contexts.stack(asks, rows))


def merge(asks: Iterable[tuple[Ask, Ask]]) -> dict[Ask, Tensor | None]:
    """Equal asks as one, with the rows (bool [B]; None: all) that any of them wants; without those of no row."""
    wanted: dict[Ask, Tensor | None] = {}
    for key, ask in asks:
        wanted[key] = either(wanted[key], ask.rows) if key in wanted else ask.rows
    some = {k: r for k, r in wanted.items() if r is None or bool(r.any())}
    return {k: None if r is None or bool(r.all()) else r for k, r in some.items()}


def _cat(passes: list[Prediction]) -> Prediction:
    if len(passes) == 1:
        return passes[0]
    return Prediction(torch.cat([p.x0 for p in passes]), torch.cat([p.eps for p in passes]))


def _scatter(part: Prediction, rows: Tensor, n: int) -> Prediction:
    def one(t: Tensor) -> Tensor:
        return t.new_zeros(n, *t.shape[1:]).index_copy(0, rows, t)

    return Prediction(one(part.x0), one(part.eps))


def _nothing(x: Tensor) -> Prediction:
    """What a rule reads of a prediction that it asked for no sample."""
    zero = torch.zeros_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
    return Prediction(zero, zero)
