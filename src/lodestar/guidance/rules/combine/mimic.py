"""Mimic scale: x0 brought to the range that CFG at a lower scale would give it. The dynamic-thresholding extension,
github.com/mcmonkeyprojects/sd-dynamic-thresholding, `dynthres_core.py`; no paper.

    x0 = mean + clip(x0 - mean, -top, top) most / top
    most = the largest |other - its mean|,    top = max(most, the percentile of |x0 - mean|)

where other is the x0 of CFG at `scale`. What ranges no further than that is left as it is, exactly. With measure std it
is mean + (x0 - mean) std(other) / std(x0), wider too. phi mixes: 0 is the inner rule, exactly.

Space: x0, as in the extension. Mean and range are of each channel; with channels false the range is that of the sample,
where the extension takes the whole batch's. Left out are its start "ZERO", which scales the mean as well, its
experiments, and its schedules of the two scales. Cost: that of the rule inside, and what of cond and null it lacks.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from ....core import Prediction, Step, lerp, per_sample
from ....errors import UsageError
from ...fields import Number, settle, values, weight
from ...ops import FLOOR, quantile, with_x0
from ...rule import ALL, Ask, Asks, View, Wrapper, rule, union


@rule
class Mimic(Wrapper):
    """A rule whose x0 has the range of guidance at a lower scale."""

    scale: Number = 7.0  # the extension's, as all below
    percentile: Number = 1.0  # a share of x0's range, 1: all of it
    phi: Number = 1.0  # how much of it
    measure: Literal["ad", "std"] = "ad"  # of the range: "ad", the largest deviation, or "std"
    channels: bool = True  # each on its own
    ranges: ClassVar = {"percentile": (0, 1), "phi": (0, 1)}
    neutral: ClassVar = {"phi": 0.0}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "scale", "percentile", "phi")
        if self.measure not in ("ad", "std"):
            raise UsageError(f"measure must be ad or std, got {self.measure!r}")
        if not isinstance(self.channels, bool):
            raise UsageError(f"channels must be true or false, got {self.channels!r}")

    def asks(self, at: Step) -> Asks:
        scale, on = values(self.scale), values(self.phi) != 0
        other = {"cond": Ask(rows=on & (scale != 0)), "null": Ask(drop=ALL, rows=on & (scale != 1))}
        return union(self.inner.asks(at), other)

    def __call__(self, view: View, at: Step) -> Prediction:
        p, other = self.inner(view, at), lerp(view["null"], view["cond"], weight(self.scale, view.x))
        away, model = _centred(p.x0), _centred(other.x0)
        change = (self._like(away, model) - away).reshape(p.x0.shape).to(p.x0)
        return with_x0(p, p.x0 + per_sample(weight(self.phi, p.x0), p.x0) * change, at.level)

    def _like(self, away: Tensor, model: Tensor) -> Tensor:
        """Deviations [B, C, N] with the range of these."""
        one, other = (t if self.channels else t.flatten(1).unsqueeze(1) for t in (away, model))
        if self.measure == "std":
            return away * (other.std(2, correction=0) / one.std(2, correction=0).clamp_min(FLOOR)).unsqueeze(2)
        share = values(self.percentile).to(away.device).reshape(-1, 1)
        most = other.abs().amax(2)
        top = torch.maximum(most, quantile(one.abs(), share)).clamp_min(FLOOR)
        return away.clamp(-top.unsqueeze(2), top.unsqueeze(2)) * (most / top).unsqueeze(2)


def _centred(x0: Tensor) -> Tensor:
    """The deviations [B, C, N] from the mean of each channel, in float64; without a place axis there is one channel."""
    rows = x0.double().reshape(len(x0), x0.shape[1] if x0.ndim > 2 else 1, -1)
    return rows - rows.mean(2, keepdim=True)
