"""A schedule of guidance that is fitted, not searched: one guided step from a noised picture should look noised too.

Galashov et al. 2025, arXiv:2510.00815: self-consistency (eq. 19) by an energy distance (eq. 22), the model frozen. Of a
picture x0 with what is said of it, and two levels s < t,

    x_s = alpha_s x0 + sigma_s eps        noised at once, several times
    x'_s                                  noised to t with other noise, and one guided DDIM step back to s, twice
    loss = E |x'_s - x_s|^beta - lambda / 2 E |x'_s - x''_s|^beta        least where the two are of one distribution

The step is linear in the weight of a schedule, base + weight (inner - base): the networks run once, a pair of samples
becomes three numbers, and the fit is over those alone. With the rule cfg(2) the weight is the paper's own omega.

Ours, where the paper goes another way or its text could not be had in full, which the lines above are read from: the
weight depends on the level t alone, not on s and not on the prompt (theirs is a small network of c, s and t); it is a
table of a few knots, not below 0 as theirs; s = t - 0.1 in the time sigma / (alpha + sigma), their best gap; beta 1 and
lambda 1, the energy distance; two guided samples of each picture; a deterministic step; and a knot whose weight these
pictures do not tell from none is 0, for where the classes are told anyway guidance does nothing and any weight fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..conditions import Condition, JointSchema
from ..core import Level, Prediction, Process, Step, generator, per_sample
from ..data import Source
from ..errors import UsageError
from ..guidance import guide, parse
from ..guidance.rules.when.schedule import Schedule
from ..guidance.schedules import Constant, Table
from ..model import Model

GAP = 0.1  # in sigma / (alpha + sigma)
EDGE = 0.02  # of that time, at both ends: where nothing is learnt
KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)  # in the same time
MOST = 14.0  # of a weight: a scale of 15
INNER = "cfg(2)"
NOISED = 8  # samples x_s of a picture, which cost no network
TELLING = 2.0  # standard errors by which a knot has to lessen the loss, or it is 0
_NOISE = 0x636F6E73  # keeps these draws apart from all others of the same seed
OnPictures = Callable[[int, int], None]  # pictures done, pictures in all


@dataclass(frozen=True)
class Pairs:
    """All that the loss needs of N pictures: of pairs of samples a + weight b their |a|^2, a b and |b|^2."""

    time: Tensor  # float64 [N], in (0, 1): 0 clean, 1 noise
    across: Tensor  # float64 [N, 2 NOISED, 3]: a guided and a noised sample
    among: Tensor  # float64 [N, 1, 3]: two guided ones
    beta: float = 1.0
    repulsion: float = 1.0  # lambda

    def loss(self, weight: Tensor) -> Tensor:
        """[N], of a weight for each."""
        across, among = (self._lengths(each, weight).mean(1) for each in (self.across, self.among))
        return across - self.repulsion / 2 * among

    def _lengths(self, parts: Tensor, weight: Tensor) -> Tensor:
        aa, ab, bb = parts.unbind(2)
        w = weight[:, None]
        return (aa + 2 * w * ab + w**2 * bb).clamp(min=1e-12) ** (self.beta / 2)


@dataclass(frozen=True)
class Fitted:
    """A schedule, and what it was fitted to."""

    inner: str
    time: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def shape(self) -> Table:
        return Table([round(t / (1 - t), 4) for t in self.time], [round(w, 3) for w in self.weights])

    def __str__(self) -> str:
        """The rule, as the language reads it."""
        return str(Schedule(parse(self.inner), self.shape))

    def weight(self, time: Tensor) -> Tensor:
        """float64 [N] at these times."""
        return hats(self.time, time) @ torch.tensor(self.weights, dtype=torch.float64)


def fitted(
    model: Model, source: Source, n: int = 2000, *, inner: str = INNER, seed: int = 0, batch: int = 64,
    on_pictures: OnPictures | None = None,
) -> Fitted:  # fmt: skip
    """The schedule of a model on its own training pictures: 6 network rows a picture, for cfg(2).

    Raises UsageError for data without what the model is told, and for rules that it cannot follow.
    """
    x0, condition = material(model, source, n, seed)
    return fit(
        pairs(model, model.process, x0, condition, inner, seed=seed, batch=batch, on_pictures=on_pictures), inner
    )


def material(model: Model, source: Source, n: int, seed: int) -> tuple[Tensor, Condition | None]:
    """Training pictures [N, C, H, W] in [-1, 1], and what is said of them."""
    batch = next(iter(source.batches(n, seed)))
    schema, x0 = model.schema, batch.images.float() / 127.5 - 1
    if isinstance(schema, JointSchema):
        raise UsageError(f"a schedule is fitted to models that are told one thing, and '{model.name}' is told several")
    if schema is None:
        raise UsageError(f"model '{model.name}' is told nothing, so it cannot be guided by that")
    said: Sequence[Any] | None = batch.texts
    if schema.kind != "text":
        said = None if batch.labels is None or source.classes is None else [source.classes[i] for i in batch.labels]
    if said is None:
        raise UsageError(f"the data does not say what model '{model.name}' is told: a {schema.kind} for each picture")
    return x0, schema.encode(list(said))


def pairs(
    predict: Any, process: Process, x0: Tensor, condition: Condition | None, inner: str = INNER, *, seed: int = 0,
    batch: int = 64, on_pictures: OnPictures | None = None, **options: Any,
) -> Pairs:  # fmt: skip
    """Noise pictures x0 [N, ...] and step back, with and without guidance; `predict` and `options` are `guide`'s."""
    rule = parse(inner)
    draw = generator(seed, _NOISE)
    time = (torch.arange(len(x0)) + torch.rand(len(x0), generator=draw, dtype=torch.float64)) / len(x0)
    time = (EDGE * 2 + (1 - EDGE * 3) * time)[torch.randperm(len(x0), generator=draw)]
    noise = torch.randn(NOISED + 2, *x0.shape, generator=draw, dtype=x0.dtype)
    found = []
    for i in range(0, len(x0), batch):
        rows = slice(i, i + batch)
        told = None if condition is None else condition[rows]
        guides = [guide(r, predict, told, **options) for r in (Schedule(rule, Constant(0.0)), rule)]
        found.append(_compared(guides, process, x0[rows], noise[:, rows], time[rows]))
        if on_pictures is not None:
            on_pictures(min(i + batch, len(x0)), len(x0))
    across, among = (torch.cat(each) for each in zip(*found, strict=True))
    return Pairs(time, across, among)


def fit(seen: Pairs, inner: str = INNER, time: Sequence[float] = KNOTS) -> Fitted:
    """The weights at these knots that make the loss least; those that tell nothing are dropped one by one."""
    basis, kept = hats(time, seen.time), list(range(len(time)))
    weights = _least(seen, basis, kept)
    while kept:
        telling = [_telling(seen, basis, weights, k) for k in kept]
        if min(telling) >= TELLING:
            break
        kept.pop(telling.index(min(telling)))
        weights = _least(seen, basis, kept)
    return Fitted(inner, tuple(time), tuple(weights.tolist()))


def _least(seen: Pairs, basis: Tensor, kept: Sequence[int]) -> Tensor:
    """By L-BFGS from 1, over the roots of the weights, so that none is below 0; those that are not kept are 0."""
    root = torch.ones(len(kept), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([root], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = seen.loss(basis[:, kept] @ root.square().clamp(max=MOST)).mean() * len(seen.time)
        loss.backward()
        return loss

    weights = torch.zeros(basis.shape[1], dtype=torch.float64)
    if kept:
        with torch.enable_grad():
            optimizer.step(closure)
        weights[kept] = root.detach().square().clamp(max=MOST)
    return weights


def _telling(seen: Pairs, basis: Tensor, weights: Tensor, knot: int) -> float:
    """By how many standard errors the loss is less with this knot than without, picture by picture."""
    without = weights.clone()
    without[knot] = 0
    gain = seen.loss(basis @ without) - seen.loss(basis @ weights)
    return float(gain.mean() / (gain.std() / len(gain) ** 0.5).clamp(min=1e-300))


def hats(knots: Sequence[float], time: Tensor) -> Tensor:
    """float64 [N, K]: how much each knot counts at a time, as a table interpolates."""
    at = [k / (1 - k) for k in knots]
    ones = torch.eye(len(knots)).tolist()
    level = Level(1 - time, time, torch.zeros_like(time), torch.zeros_like(time))
    return torch.stack([Table(at, one)(level) for one in ones], 1)


def _compared(
    guides: Sequence[Any], process: Process, x0: Tensor, noise: Tensor, time: Tensor
) -> tuple[Tensor, Tensor]:
    """[B, 2 NOISED, 3] and [B, 1, 3]: what is left of two guided and several noised samples of each picture."""
    at, to = _level(process, time), _level(process, (time - GAP).clamp(min=EDGE))
    noised = [_noised(x0, eps, to) for eps in noise[2:]]
    guided = [_stepped(guides, _noised(x0, eps, at), at, to) for eps in noise[:2]]
    across = [_parts(a - x, b) for a, b in guided for x in noised]
    (a, b), (c, d) = guided
    return torch.stack(across, 1), torch.stack([_parts(a - c, b - d)], 1)


def _level(process: Process, time: Tensor) -> Level:
    """Where sigma / (alpha + sigma) is this, or the nearest end of the process."""
    return process.level(process.u_of(2 * ((1 - time) / time).log()).clamp(0, 1))


def _noised(x0: Tensor, eps: Tensor, level: Level) -> Tensor:
    return per_sample(level.alpha, x0) * x0 + per_sample(level.sigma, x0) * eps


@torch.inference_mode()
def _stepped(guides: Sequence[Any], x: Tensor, at: Level, to: Level) -> tuple[Tensor, Tensor]:
    """a and b: the step's end is a + weight b."""
    base, inner = (_step(guided.begin()(x, Step(at, to=to)), to) for guided in guides)
    return base, inner - base


def _step(p: Prediction, to: Level) -> Tensor:
    """DDIM's (arXiv:2010.02502, eq. 12, without noise), on the CPU."""
    return (per_sample(to.alpha, p.x0) * p.x0 + per_sample(to.sigma, p.eps) * p.eps).cpu()


def _parts(a: Tensor, b: Tensor) -> Tensor:
    """|a|^2, a b and |b|^2, float64 [B, 3], each per number of a picture."""
    a, b = a.flatten(1).double(), b.flatten(1).double()
    return torch.stack([(p * q).mean(1) for p, q in ((a, a), (a, b), (b, b))], 1)
