"""Lodestar: guidance for diffusion and flow models.

    model = lodestar.load("scenes-32")
    model.sample("a red circle above a blue square", n=8, guidance="cfg(4)").save("strip.png")

Nothing is imported before it is used, torch included.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import UsageError
from .version import __version__

if TYPE_CHECKING:
    from .conditions import drop
    from .core import Level, Noise, Prediction, Step
    from .generate import sample, trajectory
    from .guidance import CFG, Interval, Negative, Rescale, Tally, guide
    from .likelihood import Likelihood
    from .model import Model, load
    from .pictures import read_recipe
    from .result import Result
    from .systems import edit

_HOMES = {
    "conditions": ("drop",),
    "core": ("Level", "Noise", "Prediction", "Step"),
    "generate": ("sample", "trajectory"),
    "guidance": ("CFG", "Interval", "Negative", "Rescale", "Tally", "guide"),
    "likelihood": ("Likelihood",),
    "model": ("Model", "load"),
    "pictures": ("read_recipe",),
    "result": ("Result",),
    "systems": ("edit",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CFG",
    "Interval",
    "Level",
    "Likelihood",
    "Model",
    "Negative",
    "Noise",
    "Prediction",
    "Rescale",
    "Result",
    "Step",
    "Tally",
    "UsageError",
    "__version__",
    "drop",
    "edit",
    "guide",
    "load",
    "read_recipe",
    "sample",
    "trajectory",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'lodestar' has no attribute '{name}'")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
