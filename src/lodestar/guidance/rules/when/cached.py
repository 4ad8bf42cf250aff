"""Guidance kept over some steps. After Lee et al. 2025, arXiv:2511.04117, whose coarse grid for the guidance this is.

    inner on the steps 0, every, 2 every, ..., and base + d on the others, d being the last inner - base

Space: d is kept in the velocity dx/du, of the process's own u. So the guidance's part of the differential equation is
solved on a coarser grid, as in the paper, which has a state for each part, adapts the grid and lowers the scale, and is
written in eps. On the oracle, by a cosine and by a flow, the samples end nearest to those of full guidance so: with d
kept in eps they end up to three times as far from them, in x0 two to five times. On the steps between
alpha x0 + sigma eps = x, also where inner leaves it. An interval goes around it: inside, its ends would move to the
next step that is evaluated.

A step's corrector does as its predictor. A sample that has no d yet, as where an interval begins, is evaluated. State,
of one trajectory: who has a d, and d. Cost: in network rows of cfg 1 + 1 / every; the base is asked at every step.
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from ....core import Prediction, Step
from ...ops import asked, choose, shift
from ...rule import Asks, View, Wrapper, restrict, rule, union
from ..remembering import Remembering
from .weighted import check_every


@rule
class Cached(Remembering, Wrapper):
    """A rule that is evaluated on every other step, and kept in between."""

    every: int = 2  # steps; ours
    ranges: ClassVar = {"every": (1, inf)}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_every(self.every)

    def fresh(self, at: Step) -> Tensor:
        """bool [] or [B]: is the inner rule evaluated?"""
        step = torch.tensor(at.index % self.every == 0)
        return step | ~self.past[0] if self.past else torch.tensor(True)

    def asks(self, at: Step) -> Asks:
        return union(restrict(self.inner.asks(at), self.fresh(at)), self.base_asks())

    def __call__(self, view: View, at: Step) -> Prediction:
        fresh, base = self.fresh(at), self.base(view)
        known, d = self.past or (torch.tensor(False), torch.zeros_like(base.x0))
        kept = shift(base, "flow", d, at.level)
        if not fresh.any():
            return kept
        seen, guided = fresh & self.seen(view, at), self.inner(view, at)
        if self.past is not None:
            new, rows = guided.velocity(at.level) - base.velocity(at.level), seen.to(d.device)
            self.past[:] = [known | seen, torch.where(rows.reshape(-1, *[1] * (d.ndim - 1)), new, d)]
        return choose(fresh, guided, kept)

    def seen(self, view: View, at: Step) -> Tensor:
        """bool [B]: who has been evaluated? Not who is outside of an interval around this, whatever is asked of it, nor
        who stands still, of whom nothing is asked."""
        yes = torch.ones(len(view.x), dtype=torch.bool)
        asks = {name: ask for name, ask in self.inner.asks(at).items() if name in view.named}
        wanted = {name: yes if ask.rows is None else yes & ask.rows for name, ask in asks.items()}
        if not wanted:
            return ~yes
        found = [asked(view[name]).flatten().cpu() | ~rows for name, rows in wanted.items()]
        return torch.stack([torch.stack(list(wanted.values())).any(0), *found]).all(0)
