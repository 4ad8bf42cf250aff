"""CFG++. Chung et al. 2024, arXiv:2406.08070, as the authors' code has it (CFGpp-diffusion/CFGpp).

    x0 = null.x0 + mix (cond.x0 - null.x0),   eps = null.eps

so that DDIM denoises with guidance and renoises without. The pair is off x on purpose: alpha x0 + sigma eps is not x.
mix 0: the null, exactly. No mix is the conditional. Space: x0 and eps, each with its own; linear, so the same for
every network. Cost: 2 network rows.

A step of DDIM is one of classifier-free guidance at scale mix / (1 - e^{(lam - lam') / 2}), lam' the next level's: the
shorter the steps, the more it guides. So a mix belongs to a number of steps, and more steps do not converge.

Samplers, all of which here read x only through the prediction: `ddim` is the authors' DDIM, and in sigma / alpha their
Euler; `ddpm`, `ancestral(0)` and `ddim(eta=1)` are their ancestral Euler. `dpmpp_2m` and `unipc` extrapolate the
guided x0 from the guided x0 before it, where the authors' 2M subtracts the null's, which adds guidance of its own.
`heun` corrects the null's eps. `euler` off straight paths follows dx/du of the pair. `invert` reads eps alone and
inverts the null; the authors' inversion swaps the two.
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step, lerp
from ...fields import Number, settle, values, weight
from ...rule import ALL, Ask, Asks, Rule, View, rule


@rule
class CFGPP(Rule):
    """Guidance that denoises with the condition and renoises without."""

    mix: Number = 0.6  # the authors' for what takes a scale of 7.5 otherwise
    ranges: ClassVar = {"mix": (0, 1)}
    exempt: ClassVar = {
        "neutral_is_the_base_exactly": "no mix is the conditional: at 1 the noise is still the null's",
        "consistent_with_x": "x0 is guided and eps is not: that is the rule",
    }

    def __post_init__(self) -> None:
        settle(self, "mix")

    def asks(self, at: Step) -> Asks:
        return {"cond": Ask(rows=values(self.mix) != 0), "null": Ask(drop=ALL)}

    def __call__(self, view: View, at: Step) -> Prediction:
        guided = lerp(view["null"], view["cond"], weight(self.mix, view.x))
        return Prediction(guided.x0, view["null"].eps)
