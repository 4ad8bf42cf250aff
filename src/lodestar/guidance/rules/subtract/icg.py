"""Independent condition guidance: a random condition in place of the null. Sadat et al. 2024, arXiv:2407.02687, Alg. 1.

    guided = random + scale (cond - random)        scale 1: the conditional, 0: the random condition's, both exactly

For a model that has learnt no null: a condition that has nothing to do with x says as little as none. Left open are
where it comes from and how often. Here it is one of the conditions of these names, given by whoever samples; where
there are several, each step draws one, a function of (seed, step), and both evaluations of a step the same. All samples
draw alike unless each has a seed of its own, as in icg(3, names=["cat", "dog"], seed=[1, 2]). A draw for the whole run
is the one name "random" with a condition for each sample. (The paper's other choice, noise in the place of the
embedding, is for networks that are given embeddings: give noise as that condition.)

Linear, hence the same in every space. Cost: 2 network rows, however many names there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from ....core import Prediction, Step, lerp
from ...fields import Number, settle, values, weight
from ...ops import choose
from ...rule import Ask, Asks, Rule, View, rule
from ..several.named import key, settle_names
from .draws import draws, settle_seed


@rule
class ICG(Rule):
    """Guidance away from a condition drawn at random."""

    scale: Number = 4.0  # ours, as for cfg
    names: Sequence[str] = ("random",)
    seed: Number = 0.0
    neutral: ClassVar = {"scale": 1.0}

    def __post_init__(self) -> None:
        settle(self, "scale")
        settle_names(self, "names")
        settle_seed(self, "seed")

    def asks(self, at: Step) -> Asks:
        scale = values(self.scale)
        others = {key(n): Ask(replace=n, rows=(scale != 1) & here) for n, here in self.drawn(at).items()}
        return {"cond": Ask(rows=scale != 0), **others}

    def __call__(self, view: View, at: Step) -> Prediction:
        drawn = [(view[key(n)], here) for n, here in self.drawn(at).items()]
        other = reduce(lambda p, each: choose(each[1], each[0], p), drawn[1:], drawn[0][0])
        return lerp(other, view["cond"], weight(self.scale, view.x))

    def drawn(self, at: Step) -> dict[str, Tensor]:
        """The samples, bool [] or [B], whose condition this step is that of each name."""
        which = draws(self.seed, at, lambda g: torch.randint(len(self.names), (), generator=g))
        return {name: which == k for k, name in enumerate(self.names)}
