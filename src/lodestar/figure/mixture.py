"""The CFG paper's Figure 2, and what it does not show. Ho & Salimans 2022, arXiv:2207.12598.

Three Gaussians at the corners of a triangle, a class each; the figure has the tilted conditionals
p(x | c)^scale p(x)^(1 - scale) at growing scale. Those are what guidance is said to aim at. Here samplers that follow a
rule stand beside them, with the distance between the two. Neither the paper's scales nor its spread are printed: ours.

Any rule can be drawn. A second, weak denoiser stands in for whatever lesser prediction it asks for, be it another
network's, another head's or that of a network with a change inside, and gradients are the exact classifier's. Another
condition is the next class, and so is the image of a rule for a text and an image. A point is a picture of two pixels,
for rules that are for pictures. A rule without a scale is said to aim at the conditional itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ..conditions import Joint, Label
from ..core import Denoise, Level, Noise, Prediction, Process, generator
from ..errors import UsageError, unknown
from ..expression import parse_call
from ..guidance import Guided, Rule, guide
from ..guidance.rule import asks_of
from ..oracle import WRONG, Distance, GaussianMixture, Tilted, distance, own_fields, sliced_w1
from ..process import Cosine, levels
from ..samplers import Sampler

CLASSES = 3
PICTURE = (1, 1, 2)  # a point, as C, H, W
STD = 0.5  # of each Gaussian; the corners are at distance 1 from the middle
FLOORS = 8  # how often the targets are drawn again to see what exact samples show
PATH = Cosine()  # the paper's process


class Denoiser(Protocol):
    """A network for the mixture, exact or not."""

    def __call__(self, x: Tensor, level: Level, condition: Label | None = None) -> Prediction: ...


@dataclass(frozen=True, eq=False)
class Aim:
    """What a rule aims at, by class, in exact samples."""

    rule: Rule
    scale: float | None  # of the rule; None: it has none
    targets: Sequence[Tilted]  # [C]
    points: Tensor  # [C, n, 2] of the targets
    true: Tensor  # [C, n, 2] of the conditionals
    floor: float  # the sliced W1 of `points` from as many more of the same, the mean of FLOORS


@dataclass(frozen=True, eq=False)
class Panel:
    """What a sampler draws at a scale; distances are sliced W1, the mean over classes."""

    sampler: str
    aim: Aim
    points: Tensor  # [C, n, 2]
    evaluations: float  # network rows per sample
    to_target: Distance
    to_conditional: Distance  # the true one, whatever the denoiser takes for it


def triangle() -> GaussianMixture:
    angle = math.pi / 2 + torch.arange(CLASSES, dtype=torch.float64) * (2 * math.pi / CLASSES)
    means = torch.stack([angle.cos(), angle.sin()], 1)
    spread = STD**2 * torch.eye(2, dtype=torch.float64).expand(CLASSES, 2, 2)
    return GaussianMixture(torch.ones(CLASSES), means, spread, torch.arange(CLASSES))


def denoiser(text: str, mixture: GaussianMixture) -> Denoiser:
    """The denoiser that a text such as "exact" or "undertrained(share=0.3)" names.

    Raises UsageError, in one line, on an unknown name (with the nearest) and on what the denoiser cannot be.
    """
    call = parse_call(text)
    if call.name == "exact":
        call.bind([])
        return mixture
    if call.name not in WRONG:
        raise unknown("denoiser", call.name, ["exact", *WRONG])
    given: dict[str, Any] = dict(call.numbers(own_fields(call.name)))
    return WRONG[call.name](mixture, **given)


def learnt(weak: Denoiser) -> GaussianMixture:
    """What a weak denoiser takes for the data. Raises UsageError where that is no density."""
    data = getattr(weak, "learnt", weak)
    if not isinstance(data, GaussianMixture):
        raise UsageError("the weak denoiser must be exact for some data: use blurred or limited")
    return data


def aim(
    mixture: GaussianMixture, rule: Rule, scale: float | None, n: int, seed: int, weak: GaussianMixture | None = None
) -> Aim:
    """What a rule of this scale is said to aim at, in n samples of each class; without a scale, at the conditional.

    It is away from all classes, or from the next one where the rule asks for another condition, as `negative` does, or
    from the same one of the weak mixture where it asks for another network or head, as `auto` does.
    """
    asks = asks_of(rule, _SEEN)
    lesser = weak if any((a.net, a.head) != ("main", "main") for a in asks) else None
    next_one = any(a.replace for a in asks)
    away = [c if lesser is not None else (c + 1) % CLASSES if next_one else -1 for c in range(CLASSES)]
    tilt = 1.0 if scale is None else scale
    targets = [Tilted(mixture, c, tilt, away[c], lesser) for c in range(CLASSES)]
    points, *others = (_exact(targets, n, seed, k) for k in range(1 + FLOORS))
    floor = sum(float(sliced_w1(a, b)) for each in others for a, b in zip(points, each, strict=True)) / CLASSES / FLOORS
    labels = torch.arange(CLASSES).repeat_interleave(n)
    true = mixture.sample(len(labels), generator(seed, _TRUE), labels).reshape(CLASSES, n, 2)
    return Aim(rule, scale, targets, points, true, floor)


@torch.no_grad()
def panel(
    network: Denoiser, name: str, sampler: Sampler, aim: Aim, steps: int, seed: int, weak: Denoiser | None = None
) -> Panel:
    """What this sampler draws by the rule in so many steps, as many samples as the aim has.

    Raises UsageError where the rule asks for what only a weak denoiser has, and there is none.
    """
    n = aim.points.shape[1]
    labels = Label(torch.arange(CLASSES).repeat_interleave(n))
    guided = bound(aim.rule, aim.targets[0].mixture, network, weak, labels)
    points = _sampled(guided, sampler, steps, Together(range(seed, seed + len(labels)))).reshape(CLASSES, n, 2)
    to_target, to_conditional = (_apart(points, exact, seed) for exact in (aim.points, aim.true))
    return Panel(name, aim, points, guided.evaluations / len(labels), to_target, to_conditional)


@dataclass(frozen=True)
class Together(Noise):
    """The noise of all samples from one generator a draw: thousands of points in the plane need none of their own."""

    def normal(self, step: int, part: int, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        return torch.randn(len(self.seeds), *shape, generator=generator(self.seeds[0], step, part)).to(device)


@dataclass(frozen=True)
class Offered:
    """A denoiser as a network on the paper's process, with the weak one in its heads and where it is changed inside."""

    main: Denoiser
    weak: Denoiser
    heads: frozenset[str]
    process: Process = PATH

    def __call__(self, x: Tensor, level: Level, condition: Label | Joint) -> dict[str, Prediction]:
        label = _meant(condition)
        others = {head: self.weak(x, level, label) for head in self.heads}
        return {**others, "main": self.main(x, level, label)}

    def hooked(self, name: str) -> Offered:
        return replace(self, main=self.weak)


def _meant(condition: Label | Joint) -> Label:
    """The class of a joint condition: that of its text, and without one that of its image."""
    if isinstance(condition, Label):
        return condition
    text, image = (condition.parts[name].index for name in ("text", "image"))  # type: ignore[attr-defined]
    return Label(torch.where(text < 0, image, text))


def bound(rule: Rule, mixture: GaussianMixture, network: Denoiser, weak: Denoiser | None, labels: Label) -> Guided:
    """The rule with all that it asks for by name: other classes, the weak denoiser, the mixture's exact classifier."""
    asks = asks_of(rule, _SEEN)
    offered = network if weak is None else Offered(network, weak, frozenset(a.head for a in asks) - {"main"})
    other = Label((labels.index + 1) % (int(mixture.classes.max()) + 1))
    parts = any(isinstance(a.drop, frozenset) for a in asks)

    def log_p(x: Tensor, level: Level, condition: Label | Joint) -> Tensor:
        return mixture.log_density(x, level, _meant(condition).index) - mixture.log_density(x, level)

    def loss(*told: Any) -> Tensor:
        return -log_p(*told)

    return guide(
        rule,
        offered,
        Joint({"text": labels, "image": other}) if parts else labels,
        named=dict.fromkeys({a.replace for a in asks if a.replace}, other),
        nets={} if weak is None else dict.fromkeys({a.net for a in asks} - {"main"}, weak),
        gradients={a.gradient: loss if a.down else log_p for a in asks if a.gradient},
    )


_SEEN = levels(PATH, 8)  # where it is looked what a rule asks for


def _sampled(denoise: Denoise, sampler: Sampler, steps: int, noise: Noise) -> Tensor:
    """[B, 2], on the paper's own process and grid."""
    grid = levels(PATH, steps)
    x = grid[0].sigma * noise.normal(-1, 0, PICTURE).double()
    return sampler(denoise, x, grid, noise=noise).flatten(1)


_TARGET, _TRUE, _RESAMPLED = range(3)  # what is drawn at random besides the samplers' noise


def _exact(targets: Sequence[Tilted], n: int, seed: int, again: int) -> Tensor:
    """[C, n, 2]."""
    return torch.stack([t.sample(n, generator(seed, _TARGET, c, again)) for c, t in enumerate(targets)])


def _apart(points: Tensor, exact: Tensor, seed: int) -> Distance:
    pairs = enumerate(zip(points, exact, strict=True))
    return Distance.mean([distance(a, b, generator(seed, _RESAMPLED, c)) for c, (a, b) in pairs])
