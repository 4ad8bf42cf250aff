"""CFG whose null is the sum over all classes, where they are few. Ho & Salimans 2022, arXiv:2207.12598, Sec. 5.

    guided = null + scale (cond - null)        null = sum_k p(k | x) c_k

for sum_k p(x | k) p(k) = p(x), so that conditional predictions are enough and no null need be learnt.
scale 1: the conditional, 0: the sum, both exactly. The paper leaves open where p(k | x) comes from. Here it is kept up
along the trajectory, from the conditional predictions alone: at first it is the prior, and a step from x to x' is
Bayes' rule with the likelihood of that step under each class, ratio being e^((lam - lam') / 2):

    p(k | x') ~ p(k | x) N(x'; alpha' x0_k + ratio sigma' eps_k, sigma^2 (1 - ratio^2))

This is what Skreta et al. 2024, arXiv:2412.17762, integrate for their OR (an Ito density estimator), by whole steps. It
is exact for small steps of samplers that draw noise at every step: the error falls as the root of their number. It is
not for samplers that draw none, such as ddim: there the divergence of each class is lacking. The variance is the
forward process's; with the posterior's, that of data in points, the error does not fall.

Guide by it from pure noise on: begun later, the prior stands for all that x has shown. State: the last step. Linear in
the predictions, hence the same in every space. Cost: 1 row and one for each class.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import ClassVar

import torch
from torch import Tensor

from ....core import Level, Prediction, Step, lerp
from ....errors import UsageError
from ...fields import Number, number, settle, values, weight
from ...rule import Ask, Asks, View, rule
from ..remembering import Remembering
from ..several.named import key, settle_names


@rule
class Classes(Remembering):
    """Classifier-free guidance with the sum over all classes as the null."""

    scale: Number = 4.0  # ours, as for cfg
    names: Sequence[str] = ("first", "second")  # of a condition for each class; ours
    prior: Sequence[float] = ()  # p(k), a weight for each name; none: equal ones
    neutral: ClassVar = {"scale": 1.0}

    def __post_init__(self) -> None:
        settle(self, "scale")
        settle_names(self, "names")
        none = isinstance(self.prior, list | tuple) and not self.prior
        given = () if none else number("prior", self.prior)
        prior = (given,) if isinstance(given, float) else tuple(given)
        if len(prior) not in (0, len(self.names)) or not all(p > 0 for p in prior):
            raise UsageError(f"prior must be a weight above 0 for each of {len(self.names)} names, got {list(prior)}")
        object.__setattr__(self, "prior", prior)

    def asks(self, at: Step) -> Asks:
        scale = values(self.scale)
        return {"cond": Ask(rows=scale != 0), **{key(n): Ask(replace=n, rows=scale != 1) for n in self.names}}

    def __call__(self, view: View, at: Step) -> Prediction:
        each = [view[key(name)] for name in self.names]
        log_p = self.posterior(view.x, at.level)
        if self.past is not None and at.part == 0:
            self.past[:] = [log_p, at.level, each]
        shares = log_p.softmax(0)
        null = reduce(add, (p * share for p, share in zip(each, shares, strict=True)))
        return lerp(null, view["cond"], weight(self.scale, view.x))

    def posterior(self, x: Tensor, to: Level) -> Tensor:
        """log p(k | x) [K, B] of x [B, ...] at this level, up to a constant."""
        if not self.past:
            return self._prior(x)
        log_p, at, each = self.past  # of the last step: the same, its level, and what each class said there
        return log_p + torch.stack([_likelihood(p, at, x, to) for p in each])

    def _prior(self, x: Tensor) -> Tensor:
        prior = torch.tensor(self.prior or [1.0] * len(self.names), dtype=torch.float64, device=x.device)
        return prior.log()[:, None].expand(-1, len(x))


def _likelihood(p: Prediction, at: Level, x: Tensor, to: Level) -> Tensor:
    """log p(x at `to` | what was predicted before) [B], up to a constant; 0 where no noise has gone."""
    x = x.double()
    a, b = at.like(x), to.like(x)
    ratio = a.alpha / a.sigma * b.sigma / b.alpha
    variance = a.sigma**2 * (1 - ratio**2)
    off = x - b.alpha * p.x0 - ratio * b.sigma * p.eps
    return torch.where(variance > 0, -0.5 * off**2 / variance, 0).flatten(1).sum(1)
