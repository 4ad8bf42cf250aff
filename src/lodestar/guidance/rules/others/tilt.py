"""Exact tilting: classifier-free guidance with Feynman-Kac weights. Skreta et al. 2025, arXiv:2503.02819.

    guided    = null + scale (cond - null)                                 as cfg
    d log w   = scale (scale - 1) / 2 ||cond.eps - null.eps||^2 d lam      along the way of each sample

Samples that follow the guided score are not of q = p(x | c)^scale p(x)^(1 - scale) / Z; weighted so they are, at every
level. The sampler `particles` weighs and resamples them; any other ignores the weights, and then this is cfg.

Why. With time t towards the noise, both p obey the same equation of dx = f x dt + g dW, by which log p changes at the
rate -f D - f x grad log p + g^2 / 2 (lap log p + |grad log p|^2). In scale times the one for p(x | c) and 1 - scale
times the one for p(x), the coefficients sum to 1, all terms are those of log q but the squares, and

    scale |a|^2 + (1 - scale) |b|^2 = |scale a + (1 - scale) b|^2 + scale (1 - scale) |a - b|^2

so that q obeys the equation with a source q g^2 / 2 scale (1 - scale) |a - b|^2, up to a constant: against time,
weights grow as above. For any (alpha, sigma), g^2 dt = sigma^2 |d lam| and the scores are a = -eps / sigma; sigma
cancels. It is the increment of the authors' sampler for EDM2 (martaskrt/fkc-diffusion, applications/images/edm2), but
that they take the mean off it and cut it off at 1, or at 2.

scale 1: the conditional, 0: the null, both exactly and with no weights. Space: eps, the score's; any network gives the
same. Cost: 2 network rows. It stands alone: a rule around it changes what is followed and not the weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ....core import Prediction, Step
from ...fields import values
from ...ops import dot
from ...rule import View, rule
from ..combine.cfg import CFG


@rule
class Tilt(CFG):
    """Guidance with the weights that make it exact."""

    weighs: ClassVar = True  # what it gives has weights

    def __call__(self, view: View, at: Step) -> Prediction:
        apart, scale = view["cond"].eps - view["null"].eps, values(self.scale).to(view.x.device)
        return replace(super().__call__(view, at), log_weight=scale * (scale - 1) / 2 * dot(apart, apart))
