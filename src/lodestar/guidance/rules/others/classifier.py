"""Classifier guidance. Dhariwal & Nichol 2021, arXiv:2105.05233, Alg. 2 and Alg. 1.

    form "score"    eps = inner.eps - strength sigma g(x; here)                             Alg. 2
                    x0 = inner.x0 + strength sigma^2 / alpha g(x; here)                     the same, at the same x
    form "mean"     x0 = inner.x0 + strength sigma'^2 / alpha' g(mu; next)                  Alg. 1, see below

g is the gradient of log p(c | x), a classifier's that knows the noise: the log density named "classifier", at x and a
level. strength 0: the inner rule, exactly. What is inside is what is pushed: `classifier(cfg(0), 1)` starts from the
null and is the conditional if the classifier is exact, so that its strength is a scale; `classifier(cfg(1), 2)` starts
from the conditional, and its strength is the w that is one less (the paper: 10 for the one and 1 for the other).

Alg. 1 moves the mean mu = alpha' x0 + (alpha sigma'^2 / (sigma alpha')) eps of the step to the next level by strength
times its variance times g, for it takes log p(c | x') as a straight line about mu, where x' will be. With the variance
of the posterior, (1 - e^{lam - lam'}) sigma'^2, that is the x0 above: the correction of Alg. 2 at the other end of the
step. So it is Alg. 1 with the sampler `ddpm`, and with others a step of first order towards the same. The derivation
has g at mu and at the next level; the released code (openai/guided-diffusion, `condition_mean`) has both at x and here,
which its authors call a slight bug that did not change their results (issue 51).
tests/guidance/rules/test_classifier.py measures the difference. That code clips x0 before it is pushed, and not after:
classifier(threshold(cfg(0)), 10) does so too, and threshold(classifier(cfg(0), 10)) clips what is pushed.

Space: the score's, that is eps; linear, so the same for every network. In pure noise (alpha = 0) form "score" leaves
the inner rule as it is. Cost: that of the rule inside, and a row of the classifier, forward and back.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor

from ....core import Prediction, Step, per_sample
from ....errors import UsageError
from ...fields import Number, settle, values, weight
from ...ops import add_score, shift
from ...rule import Ask, Asks, View, Wrapper, rule, union

ANOTHER = "a classifier knows of the condition what the networks need not"


@rule
class Classifier(Wrapper):
    """A rule pushed by a classifier that knows the noise."""

    strength: Number = 1.0  # the authors' for their conditional model of 256 x 256
    form: Literal["score", "mean"] = "score"
    named: ClassVar = "classifier"  # the log density
    neutral: ClassVar = {"strength": 0.0}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": ANOTHER}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "strength")
        if self.form not in ("score", "mean"):
            raise UsageError(f"form must be 'score' or 'mean', got {self.form!r}")

    def asks(self, at: Step) -> Asks:
        pushing = values(self.strength) != 0
        return union(self.inner.asks(at), {self.named: Ask(gradient=self.named, rows=pushing)})

    def __call__(self, view: View, at: Step) -> Prediction:
        p = self.inner(view, at)
        if self.named not in view.gradients or not values(self.strength).any():
            return p
        if self.form == "mean":
            return self._ahead(p, view, at)
        return add_score(p, self._score(view), at.level)

    def _ahead(self, p: Prediction, view: View, at: Step) -> Prediction:
        if at.to is None:
            raise UsageError("form='mean' needs a sampler that says where it goes next: use form='score'")
        if not at.to.sigma.any():
            return p  # nothing is drawn at the end, so there is no mean to move
        here, to = at.level.like(p.x0), at.to.like(p.x0)
        mean = to.alpha * p.x0 + here.alpha / here.sigma * to.sigma**2 / to.alpha * p.eps
        return shift(p, "x0", to.sigma**2 / to.alpha * self._score(view, mean, at.to), at.level)

    def _score(self, view: View, *there: Any) -> Tensor:
        """strength g [B, ...], at x and this level, or at another x and level."""
        g = view.gradient(self.named, *there)
        return per_sample(weight(self.strength, g), g) * g
