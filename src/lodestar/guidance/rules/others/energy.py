"""Energy guidance: down a loss of the clean picture, through the denoiser. Bansal et al. 2023 (universal guidance),
arXiv:2302.07121, eq. 6; Chung et al. 2022 (DPS), arXiv:2209.14687, Theorem 1.

    eps = inner.eps + strength sigma J^T g        g = grad loss at inner.x0,   J = d cond.x0 / dx

so that p(x) is tilted by exp(-strength loss(x0)), x0 being taken for its mean: strength is 1 / variance for half the
square of an error. strength 0: the inner rule, exactly. `loss` is the name of a function of x0 [B, ...] to numbers [B]
that is passed as `gradients`; lodestar.gradients has some. It need not know noise, for it sees none.

through=true    the gradient is pulled back through the denoiser, as in both papers
through=false   J is taken for alpha / (alpha^2 + sigma^2), which it is for data of mean 0 and variance 1, so that
                x0 = inner.x0 - strength sigma^2 / (alpha^2 + sigma^2) g

The second moves x0 directly, as He et al. 2023 (MPGD), arXiv:2311.16424, do, and costs no pass back; the coefficient is
ours, the variance of x0 given x for such data, so that strength means the same in both forms. The code of MPGD divides
by the size of the gradient instead, which forgets how large the loss is. FreeDoM (arXiv:2303.09833) pulls back.

Space: x0 and the score, the same for every network. What is left open: the loss sees the guided x0, as in the authors'
code of universal guidance, but J is that of the conditional alone, so that rules of any kind can be inside at the cost
of one pass back; with `cfg(1)` inside it is eq. 6. The code of DPS takes the gradient of ||error||, not of its square,
and steps after the sampler's own step: here the strength is constant, and the sampler does as it always does. The
backward guidance and the repeated steps of universal guidance and FreeDoM are not here. In pure noise (alpha = 0)
through=true leaves the inner rule as it is.
Cost: that of the rule inside and, with through=true, cond (if it is not asked anyway) and a network row back; and a row
of the loss, forward and back.
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step, per_sample
from ....errors import UsageError
from ...fields import Number, settle, values, weight
from ...ops import add_score, shift
from ...rule import Ask, Asks, View, Wrapper, restrict, rule, union

ANOTHER = "a loss knows of the picture what the condition does not say"


@rule
class Energy(Wrapper):
    """A rule pushed down a loss of the clean picture."""

    loss: str = "energy"  # its name among the gradients
    strength: Number = 1.0  # ours: the posterior, where the loss is minus the log likelihood
    through: bool = True  # pulled back through the denoiser
    neutral: ClassVar = {"strength": 0.0}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": ANOTHER}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "strength")
        if not isinstance(self.loss, str) or not isinstance(self.through, bool):
            mend = 'write energy(cfg(4), "colour", strength=3, through=false)'
            raise UsageError(
                f"loss takes a name and through true or false, got {self.loss!r}, {self.through!r}: {mend}"
            )

    @property
    def key(self) -> str:
        """What the gradient is asked by, apart from the names of predictions."""
        return f"loss {self.loss}"

    def asks(self, at: Step) -> Asks:
        pushing = values(self.strength) != 0
        pulled = restrict({"cond": Ask(grad=True)}, pushing) if self.through else {}
        return union(self.inner.asks(at), pulled, {self.key: Ask(gradient=self.loss, down=True, rows=pushing)})

    def __call__(self, view: View, at: Step) -> Prediction:
        p = self.inner(view, at)
        if self.key not in view.gradients or not values(self.strength).any():
            return p
        g = view.gradient(self.key, p.x0)
        down = -per_sample(weight(self.strength, g), g) * g
        if self.through:
            return add_score(p, view.pull("cond", down), at.level)
        a = at.level.like(g)
        return shift(p, "x0", a.sigma**2 / (a.alpha**2 + a.sigma**2) * down, at.level)
