"""What a step asks as batches of network rows.

Equal asks are one, and so are asks for several heads of one prediction. What the same network answers, changed inside
in the same way, is one batch; what is pulled back through it is a batch of its own: no other row is to pay for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import Level, Prediction
from .contexts import Contexts, Values
from .fields import values
from .network import Network
from .rule import Ask, both

Place = tuple[Ask, str]  # where a prediction is found: what is run for it, and its head


@dataclass(frozen=True)
class Batch:
    """The samples of every ask, one ask after the other, for one network under one hook."""

    asks: tuple[Ask, ...]  # whatever their heads
    rows: tuple[Tensor | None, ...]  # sample indices of each ask; None: all
    index: Tensor  # int64 [R], the sample of each network row
    context: Values
    factor: Tensor | None  # float64 [R], of the sigma/alpha that the network is told; None: 1
    grad: bool
    heads: tuple[str, ...]

    def gather(self, x: Tensor, level: Level, network: Network) -> tuple[Tensor, Level]:
        """The rows of x, and the level that the network is told."""
        if self.grad or self.rows != (None,):
            x, level = x[self.index], rows_of(level, self.index)
        return x, level if self.factor is None else network.noisier(level, self.factor)

    def spread(self, outs: Mapping[str, Prediction], n: int) -> Iterator[tuple[Place, Prediction]]:
        """Each ask's prediction [n, ...] of each head: a view where it asked all samples, 0 where it did not ask."""
        start = 0
        for ask, rows in zip(self.asks, self.rows, strict=True):
            stop = start + (n if rows is None else len(rows))
            for head, out in outs.items():
                part = (scattered(t[start:stop], rows, n) for t in (out.x0, out.eps))
                yield (ask, head), Prediction(*part)
            start = stop


def merged(asks: Iterable[tuple[Ask, Ask]]) -> dict[Ask, Ask]:
    """What is asked, by what it is for: once, and not at all where no row wants it."""
    wanted: dict[Ask, Ask] = {}
    for key, ask in asks:
        wanted[key] = both(wanted[key], ask) if key in wanted else ask
    return {key: ask for key, ask in wanted.items() if ask.wanted}


def groups(wanted: Mapping[Ask, Ask]) -> list[dict[Ask, Ask]]:
    """The same by what runs together."""
    found: dict[object, dict[Ask, Ask]] = {}
    for key, ask in wanted.items():
        found.setdefault(key if ask.grad else (key.net, key.hook), {})[key] = ask
    return list(found.values())


def stacked(wanted: Mapping[Ask, Ask], places: Iterable[Place], x: Tensor, contexts: Contexts) -> Batch:
    """One batch of these asks, with the heads that any of these places is of."""
    everyone, asks = torch.arange(len(x), device=x.device), tuple(wanted)
    rows = tuple(indices(ask.rows, x) for ask in wanted.values())
    each = [everyone if r is None else r for r in rows]
    grad = any(ask.grad for ask in wanted.values())
    context = contexts.stack(asks, each if grad else rows)  # a copy where autograd is to keep it
    told = [values(ask.level).expand(len(x))[r.cpu()] for ask, r in zip(asks, each, strict=True)]
    factor = torch.cat(told) if any(ask.level != 1 for ask in asks) else None
    heads = dict.fromkeys(head for ask, head in places if ask in wanted)
    return Batch(asks, rows, torch.cat(each), context, factor, grad, tuple(heads))


def indices(rows: Tensor | None, x: Tensor) -> Tensor | None:
    """Where rows, bool [B] or [], are true; None where they all are."""
    return None if rows is None or bool(rows.all()) else rows.expand(len(x)).nonzero()[:, 0].to(x.device)


def rows_of(level: Level, index: Tensor) -> Level:
    """The levels of these samples, copied: the original may be of inference mode, and autograd could not keep it."""
    return Level(*(f[index.to(f.device)] if f.ndim else f.clone() for f in level._fields()))


def scattered(part: Tensor, rows: Tensor | None, n: int) -> Tensor:
    """The rows of part [r, ...] at their places in [n, ...], and 0 elsewhere."""
    return part if rows is None else part.new_zeros(n, *part.shape[1:]).index_copy(0, rows, part)
