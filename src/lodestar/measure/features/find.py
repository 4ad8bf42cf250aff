"""A detector by what it is called on a command line.

inception:weights.pth   dinov2:folder   clip:folder      with weights that are there
inception:hub           dinov2:hub      clip:hub         downloaded, because it is asked for
scenes   cifar10        runs/mine/model                  shipped, or trained by Lodestar
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...errors import UsageError
from ...model_folder import find, shipped
from . import clip, dinov2
from .classifier import ClassifierDetector
from .clip import Clip
from .detector import Detector
from .dinov2 import DINOv2
from .inception import Inception

HUB = "hub"
Load = Callable[[str | None, torch.device | str], Detector]  # of a file or folder, or None for the hub

STANDARD: dict[str, tuple[str, Load]] = {  # what is given after the colon, and how it is read
    "inception": ("weights.pth", lambda source, device: Inception.load(source, device)),
    "dinov2": ("folder", lambda source, device: DINOv2.load(source or dinov2.HUB, source is None, device)),
    "clip": ("folder", lambda source, device: Clip.load(source or clip.HUB, source is None, device)),
}


def detector(text: str, device: torch.device | str = "cpu") -> Detector:
    """The detector that is called so. Raises UsageError where there is none, and where its weights are not given."""
    name, _, source = text.partition(":")
    if name not in STANDARD:
        return ClassifierDetector.load(find(text, "detector", (*shipped("classifier"), *STANDARD)), device)
    what, load = STANDARD[name]
    if not source:
        raise UsageError(f"'{name}' needs its weights: give {name}:{what}, or {name}:{HUB} to download them")
    return load(None if source == HUB else source, device)
