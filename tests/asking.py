"""The smallest rule for each kind of ask. Not registered: what rules of the library may be is not decided here."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch

from lodestar.core import Prediction, Step, lerp, per_sample
from lodestar.guidance import CFG, Ask, Asks, Number, Rule, View
from lodestar.guidance.fields import settle, values, weight
from lodestar.guidance.ops import add_score, with_x0
from lodestar.guidance.rules.others.classifier import Classifier
from lodestar.guidance.rules.others.energy import Energy

NO_ORACLE = "what it asks beside cond is another prediction even where cond and null are the same"


class Smallest(Rule):
    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            settle(self, each.name)


@dataclass(frozen=True)
class Contrast(Smallest):
    """Away from another prediction, as autoguidance is from a weaker network's (arXiv:2406.02507, eq. 3)."""

    scale: Number = 2.0
    ask: ClassVar[Ask] = Ask()
    neutral: ClassVar = {"scale": 1.0}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": NO_ORACLE}

    def asks(self, at: Step) -> Asks:
        return {"cond": Ask(), "other": replace(self.ask, rows=values(self.scale) != 1)}

    def __call__(self, view: View, at: Step) -> Prediction:
        return lerp(self.other(view, at), view["cond"], weight(self.scale, view.x))

    def other(self, view: View, at: Step) -> Prediction:
        return view["other"]


class OfNet(Contrast):
    """Autoguidance."""

    ask = Ask(net="weak")


class OfHook(Contrast):
    """Perturbed attention, skipped layers."""

    ask = Ask(hook="blur(0.5)")


class OfHead(Contrast):
    """Internal guidance (arXiv:2512.24176)."""

    ask = Ask(head="middle")


class OfLevel(Contrast):
    """Self-guidance (arXiv:2412.05827), here in x0."""

    ask = Ask(level=1.5)

    def other(self, view: View, at: Step) -> Prediction:
        return with_x0(view["cond"], view["other"].x0, at.level)


@dataclass(frozen=True)
class Measured(Smallest):
    """To where the first number of x0, measured with this error (a std), is `value`. Exact where x0 is Gaussian.

    With J = d x0 / dx, Cov[x0 | x] = sigma^2 / alpha J, so that p(value | x) is known to the second moment (Boys et al.
    2023, arXiv:2310.06721): its score is J^T e (value - x0_1) / (error^2 + sigma^2 / alpha J_11).
    """

    value: Number = 0.7
    error: Number = 0.3
    strength: Number = 1.0
    neutral: ClassVar = {"strength": 0.0}
    exempt: ClassVar = {"cond_equal_to_null_changes_nothing": NO_ORACLE}

    def asks(self, at: Step) -> Asks:
        return {"cond": Ask(grad=bool(values(self.strength).any()))}

    def __call__(self, view: View, at: Step) -> Prediction:
        if "cond" not in view.pulls:
            return view["cond"]
        x0, a = view["cond"].x0.flatten(1), at.level.like(view.x.flatten(1))
        first = torch.zeros_like(x0)
        first[:, 0] = 1
        row = view.pull("cond", first.reshape(view.x.shape)).flatten(1)
        value, error, strength = (per_sample(weight(n, x0), x0) for n in (self.value, self.error, self.strength))
        variance = error**2 + a.sigma**2 / a.alpha * row[:, :1]
        score = strength * row * (value - x0[:, :1]) / variance
        return add_score(view["cond"], score.reshape(view.x.shape), at.level)


def Classified(strength: Number = 1.0) -> Rule:
    """A gradient by x: with the exact classifier, 1 is the conditional."""
    return Classifier(CFG(0), strength)


def Universal(strength: Number = 1.0) -> Rule:
    """A gradient by x0, pulled back through the denoiser: that of a classifier of clean samples."""
    return Energy(CFG(1), "classifier", -strength)


class Elsewhere(CFG):
    """With a base that it does not ask itself."""

    def base_asks(self) -> Asks:
        return {"user": Ask(replace="user")}

    def base(self, view: View) -> Prediction:
        return view["user"]


SMALLEST: list[Rule] = [OfNet(), OfHook(), OfHead(), OfLevel(), Measured()]
