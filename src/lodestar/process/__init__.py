"""Noise processes, the grids that samplers walk over them, and the densities they are trained with.

A process is one file here with one frozen dataclass that has `level`, `u_of` and `timestep`; nothing else is touched.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from importlib import import_module
from typing import Any

from ..core import Process
from ..errors import UsageError, unknown
from .cosine import Cosine
from .ddpm import DDPM
from .density import DENSITIES, Density, LogitNormal, LogNormal, Uniform
from .edm import EDM
from .flow import Flow
from .grid import GRIDS, Levels, levels

__all__ = ["DDPM", "DENSITIES", "EDM", "GRIDS", "PROCESSES", "Cosine", "Density", "Flow", "Levels", "LogNormal"]
__all__ += ["LogitNormal", "Process", "Uniform", "levels", "process_from_json", "process_to_json"]


def _processes() -> Iterator[type]:
    for info in pkgutil.iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{info.name}")).values():
            if isinstance(value, type) and is_dataclass(value) and hasattr(value, "level") and hasattr(value, "u_of"):
                yield value


PROCESSES: dict[str, type] = {cls.__name__: cls for cls in _processes()}


def process_to_json(process: Process) -> dict[str, Any]:
    """The class name as `kind`, and the fields."""
    return {"kind": type(process).__name__, **asdict(process)}  # type: ignore[call-overload]


def process_from_json(data: Mapping[str, Any]) -> Process:
    """What `process_to_json` wrote. Raises UsageError on another class, other fields, or values of another type."""
    kind, given = str(data.get("kind")), {k: v for k, v in data.items() if k != "kind"}
    if kind not in PROCESSES:
        raise unknown("process", kind, PROCESSES)
    plain = {f.name: f.default for f in fields(PROCESSES[kind])}
    for name, value in given.items():
        if name not in plain:
            raise unknown(f"field of {kind}", name, plain)
        truth = isinstance(plain[name], bool)
        if isinstance(value, bool) != truth or not isinstance(value, int | float):
            raise UsageError(f"{name} of {kind} must be {'true or false' if truth else 'a number'}, got {value!r}")
    return PROCESSES[kind](**given)
