"""Pictures of which a part is known: the rest is sampled to go with it.

    x0 <- known where the mask is 1,   eps <- (x - alpha x0) / sigma

so that x = alpha x0 + sigma eps still holds, and every sampler, reading x through the prediction alone, carries the
known part on its own path and ends on it exactly. (Lugmayr et al. 2022, arXiv:2201.09865, eq. 8, and Song et al. 2020,
arXiv:2011.13456, App. I.2, overwrite x between the steps instead, with new noise each time.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ..core import Denoise, Prediction, Step


@dataclass(frozen=True)
class Known:
    """A denoiser that knows x0 [B, ...] where mask, which broadcasts against it, is 1; 0: free; between: mixed."""

    denoise: Denoise
    x0: Tensor
    mask: Tensor

    def begin(self) -> Known:
        return replace(self, denoise=self.denoise.begin())

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        p, a = self.denoise(x, at), at.level.like(x)
        x0 = p.x0 + self.mask.to(p.x0) * (self.x0.to(p.x0) - p.x0)
        return replace(p, x0=x0, eps=p.eps - a.alpha / a.sigma * (x0 - p.x0))
