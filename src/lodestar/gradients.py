"""Functions whose gradients guidance asks for by name: what `gradients=` takes, with a call of its own for each.

    reddish = gradients.colour([1.0, -1.0, -1.0])
    model.sample("a circle", guidance='energy(cfg(4), "reddish", strength=400)', gradients={"reddish": reddish})

Losses of clean pictures x0 [B, C, H, W] in [-1, 1], to numbers [B], for the rule `energy`. Each is half the square of
an error, so that strength is 1 / std^2 of what the error may be: 400 for 0.05. Your own loss is any function of x0 with
`loss` around it, where autograd can follow:

    dark = gradients.loss(lambda x0: x0.mean((1, 2, 3)))

and log densities of noisy ones, for `classifier` and `clip`: (x [B, ...], level, condition) -> [B], told the noise as
the network is. A trained classifier or CLIP is one: see likelihood.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .errors import UsageError

Function: TypeAlias = Callable[..., Tensor]  # x [B, ...], and what else it is told of it, to [B]


def loss(function: Callable[[Tensor], Tensor]) -> Function:
    """A function of x0 [B, ...] alone, to [B], as guidance calls it: the level and the condition are not passed on."""

    @wraps(function)
    def told(x0: Tensor, *rest: Any) -> Tensor:
        return function(x0)

    return told


def minus(log_p: Function) -> Function:
    """Minus a log density, as a loss of clean pictures for the rule `energy`.

    That shows it x0 and may pull it back through the denoiser, so that it need not know noise (Bansal et al. 2023,
    arXiv:2302.07121).
    """

    def minus(x0: Tensor, level: Any, condition: Any) -> Tensor:
        return -log_p(x0, level, condition)

    return minus


def colour(target: Sequence[float] | Tensor, mask: Tensor | None = None) -> Function:
    """How far the mean colour is from a target [C], such as (1, -1, -1) for red.

    mask: where it is measured, [H, W], each pixel with its weight; None: everywhere.
    """
    wanted = torch.as_tensor(target, dtype=torch.float32)
    where = None if mask is None else _weights(mask) / _weights(mask).sum()

    @loss
    def colour(x0: Tensor) -> Tensor:
        mean = x0.mean((2, 3)) if where is None else (where.to(x0) * x0).sum((2, 3))
        return (mean - wanted.to(x0)).square().sum(1) / 2

    return colour


def target(picture: Tensor, mask: Tensor | None = None) -> Function:
    """How far the pixels are from those of a picture [C, H, W].

    mask: where that matters, [H, W], each pixel with its weight; None: everywhere.
    """
    weights = None if mask is None else _weights(mask)

    @loss
    def target(x0: Tensor) -> Tensor:
        error = (x0 - picture.to(x0)).square()
        return (error if weights is None else weights.to(x0) * error).flatten(1).sum(1) / 2

    return target


def saturation(wanted: float) -> Function:
    """How far the mean saturation is from this: 0 for grey, 1 for the purest colours.

    That of a pixel is what its largest and its smallest channel are apart, over what they can be: its chroma.
    """
    if not 0 <= wanted <= 1:
        raise UsageError(f"saturation must lie in [0, 1], from grey to pure colours, got {wanted}")

    @loss
    def saturation(x0: Tensor) -> Tensor:
        apart = (x0.amax(1) - x0.amin(1)) / 2
        return (apart.mean((1, 2)) - wanted).square() / 2

    return saturation


def similarity(
    image: Callable[..., Tensor], towards: Tensor, away: Tensor | None = None, scale: float = 100.0
) -> Function:
    """How near an image and a text are, for the rule `clip`: scale <image feature, text feature>, both of length 1.

    Args:
        image: an encoder (x [B, ...], level) -> features [B, D]; it has to know the noise.
        towards: the features [D] of a text. away: those of another, to be less like: the density is then the log odds
            of the first text against the second, so that "a red circle" away from "a circle" is "more red".
        scale: the CLIP model's own exp(logit_scale), 100 where it has learnt all that it may.
    """
    direction = normalize(towards, dim=-1) - (0 if away is None else normalize(away, dim=-1))

    def similarity(x: Tensor, level: Any, *rest: Any) -> Tensor:
        features = normalize(image(x, level), dim=-1)
        return scale * features @ direction.to(features)

    similarity.log_density = True  # type: ignore[attr-defined]  # which goes up: no loss for the rule energy
    return similarity


def _weights(mask: Tensor) -> Tensor:
    """A mask [H, W] as weights. Raises UsageError where there is nothing to weigh."""
    weights = torch.as_tensor(mask).float()
    if weights.ndim != 2 or bool((weights < 0).any()) or not bool(weights.any()):
        raise UsageError(f"a mask is [H, W], with numbers from 0 and some above it, got {[*weights.shape]}")
    return weights
