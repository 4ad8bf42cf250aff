"""Every preset by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ..errors import unknown
from . import likelihoods, presets
from .likelihoods import LikelihoodPreset
from .presets import Preset

AnyPreset: TypeAlias = Preset | LikelihoodPreset

PRESETS: Mapping[str, AnyPreset] = {**presets.PRESETS, **likelihoods.PRESETS}


def preset(name: str) -> AnyPreset:
    """A preset by its name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]
