"""Samplers: pure functions `f(denoise, x, levels, *, noise=None, ...) -> x`. They know no network and no guidance.

A sampler is one file here that defines a function of the file's own name, and reads x only through the prediction;
nothing else is touched. `sampler("ancestral(noise_mix=0.2)")` is how the command line and results name one.
`f.trajectory` is the same a step at a time: see walk.py.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from torch import Tensor

from ..core import Denoise, Level, Noise
from ..errors import unknown
from ..expression import parse_call
from .walk import Moment, Stepwise, stepwise

__all__ = ["SAMPLERS", "Moment", "Sampler", "Stepwise", "own_keywords", "sampler", "stepwise"]


class Sampler(Protocol):
    """From x [B, ...] at levels[0] to x [B, ...] at levels[-1]."""

    def __call__(
        self, denoise: Denoise, x: Tensor, levels: Sequence[Level], *, noise: Noise | None = None
    ) -> Tensor: ...


def _discovered() -> dict[str, Stepwise]:
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    found = {name: getattr(import_module(f"{__name__}.{name}"), name, None) for name in names}
    return {name: f for name, f in found.items() if isinstance(f, Stepwise)}


SAMPLERS: dict[str, Stepwise] = _discovered()


def sampler(text: str) -> Stepwise:
    """The sampler that a text such as "ddim" or "ancestral(noise_mix=0.2)" names, with its own keywords bound.

    Raises UsageError, in one line, on an unknown name (with the nearest) and on values that are no numbers.
    """
    call = parse_call(text)
    if call.name not in SAMPLERS:
        raise unknown("sampler", call.name, SAMPLERS)
    function = SAMPLERS[call.name]
    given = call.numbers(own_keywords(function))
    return function.bind(**given) if given else function


def own_keywords(function: Callable[..., Tensor]) -> list[str]:
    """The keywords of a sampler that are its own: all but noise."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "noise"]
