"""Weighted samples: the guided reverse SDE, resampled. Feynman-Kac correctors, Skreta et al. 2025, arXiv:2503.02819.

    x' = alpha' x0 + sigma' c eps + std z,        c = e^{stir (lam - lam') / 2}
    std^2 = sigma'^2 (1 - c^2) + (alpha' - c sigma' alpha / sigma)^2 sigma^2 / (alpha^2 + sigma^2)
    log w' = log w + (lam' - lam) (rate + rate') / 2,        rate = d log w / d lam: `Prediction.log_weight`

With the rule `tilt` it draws from p(x | c)^scale p(x)^(1 - scale), which classifier-free guidance does not. Samples
come in groups of `group` neighbours, alike in condition and scale. A group is resampled by its weights, systematically,
once its effective number of samples, 1 / sum of squared shares, falls below half of it (Liu & Chen 1995), and before
the last but one step: the last draws no noise to part copies, and the authors skip it as well, who resample at all
others. So a sample depends on its group alone. Predictions without weights are not resampled.

stir is how much noise is drawn, in that of the reverse SDE. More than 1, with as much drift back to where the density
is high, is Langevin dynamics on top: it leaves every density on the way as it is, and so the weights. Samples are then
nearer to where they should be, and weights have less to make up for. The second part of the variance is that of x0
given x, which the step takes for certain: for data of variance 1 it makes every step exact, however long; without it
the samples are drawn together, the more so the more is stirred. Both are ours. What they gain is what
`python -m benchmarks tilting` prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from ..core import Denoise, Level, Noise, Prediction, Step, per_sample
from ..errors import UsageError
from .renoise import noised, ratio
from .walk import Moment, stepwise, walk

ORDER = 1  # of convergence: a law measures it
LEAST = 0.5  # of a group, the effective number of samples under which it is resampled


@stepwise
def particles(
    denoise: Denoise,
    x: Tensor,
    levels: Sequence[Level],
    *,
    noise: Noise | None = None,
    group: float = 0,
    stir: float = 5.0,
) -> Iterator[Moment]:
    """From x [B, ...] at levels[0] to samples at levels[-1], in groups of `group`, which predictions with weights need.

    Step i draws noise.normal(i, 0, ...), and noise.normal(i, 1, (1,)) to resample: that of each group's first sample.
    Raises UsageError without noise, on a stir below 1, on weights without groups that the samples can be split into,
    and on weights that come or go on the way.
    """
    if not 1 <= stir < inf:
        raise UsageError(f"stir must be finite and at least 1, which is the reverse SDE, got {stir}")
    running = _Resampled(denoise.begin(), group, noise)
    for at, to in walk(levels):
        p, c = running(x, at), ratio(at.level, to) ** stir
        x = per_sample(to.alpha, p.x0) * p.x0 + per_sample(to.sigma * c, p.eps) * p.eps
        x = noised(x, _std(at.level, to, c), noise, at)
        yield Moment(at, p, x)


def _std(at: Level, to: Level, c: Tensor) -> Tensor:
    """Of the noise that is drawn; none on the step to a clean level."""
    hidden = (to.alpha - c * to.sigma * at.alpha / at.sigma) ** 2 * at.sigma**2 / (at.alpha**2 + at.sigma**2)
    return torch.where(to.sigma == 0, 0, (to.sigma**2 * (1 - c**2) + hidden).sqrt())


@dataclass
class _Resampled:
    """A running denoiser whose predictions are resampled: they are all that is read of x, so x need not be."""

    running: Denoise
    group: float
    noise: Noise | None
    before: tuple[Tensor, Tensor] | None = None  # rate [B] and lam, a step ago
    log_w: Tensor | None = None  # [G, group], since each group was last resampled

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        p, lam = self.running(x, at), at.level.lam
        if at.index > 0 and (p.log_weight is None) != (self.before is None):
            raise UsageError("the guidance weighs samples at some levels and not at others: let tilt stand alone")
        if p.log_weight is not None:
            p = self._resampled(p, self._weights(p.log_weight, lam), at)
            self.before = p.log_weight, lam  # type: ignore[assignment]
        return p

    def _weights(self, rate: Tensor, lam: Tensor) -> Tensor:
        """log w [G, group], but for a number in each group."""
        groups = (-1, _size(self.group, len(rate)))
        if self.before is None or self.log_w is None:
            return torch.zeros_like(rate).reshape(groups)
        return self.log_w + _growth(*self.before, rate, lam).reshape(groups)

    def _resampled(self, p: Prediction, log_w: Tensor, at: Step) -> Prediction:
        """The prediction of those who go on, in groups that few would be left to speak for, and in all at the end."""
        shares, left = log_w.softmax(1), at.total - 1 - at.index
        due = (shares.square().sum(1, keepdim=True) * shares.shape[1] * LEAST > 1) | (left == 1)
        if self.before is None or left == 0 or not due.any():
            self.log_w = log_w
            return p
        places = torch.arange(log_w.numel(), device=log_w.device).reshape(log_w.shape)
        chosen = places[:, :1] + systematic(shares, self._shifts(at, shares.shape[1]))
        self.log_w = torch.where(due, 0, log_w)
        return p[torch.where(due, chosen, places).reshape(-1)]

    def _shifts(self, at: Step, size: int) -> Tensor:
        """Uniform in [0, 1], float64, for each group."""
        assert self.noise is not None  # or the first step had raised
        return torch.special.ndtr(self.noise.normal(at.index, 1, (1,))[::size, 0].double())


def _size(group: float, n: int) -> int:
    """How many samples form a group."""
    if group < 1 or group != int(group) or n % int(group):
        mend = "as in particles(group=64): as many neighbours, alike in condition and scale"
        raise UsageError(
            f"the guidance weighs samples, and {n} do not split into groups of {group:g}: say group, {mend}"
        )
    return int(group)


def _growth(rate: Tensor, lam: Tensor, rate_now: Tensor, lam_now: Tensor) -> Tensor:
    """How much log w has grown over a step [B], float64; from pure noise on, where it begins as e^lam, to itself."""
    step = (lam_now - lam).to(rate.device)
    return torch.where(step.isfinite(), step * (rate + rate_now) / 2, rate_now)


def systematic(shares: Tensor, shifts: Tensor) -> Tensor:
    """int64 [G, n]: which of its group stands in the place of each. Kitagawa 1996, doi:10.2307/1390750.

    Args: shares [G, n], which sum to 1 in each group; shifts [G] in [0, 1]. Who has a share w stands in floor(n w)
    places or in one more, and for uniform shifts in n w on average.
    """
    n = shares.shape[1]
    places = (shifts.to(shares)[:, None] + torch.arange(n).to(shares)) / n
    return torch.searchsorted(shares.cumsum(1), places).clamp(max=n - 1)
