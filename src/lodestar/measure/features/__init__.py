"""Detectors: from pictures uint8 [B, C, H, W] to the features float [B, D] that metrics compare."""

from .classifier import ClassifierDetector
from .clip import Clip
from .detector import Classifies, Detector, Seen, describe, look, looks, named
from .dinov2 import DINOv2
from .find import detector
from .inception import Inception

__all__ = [
    "ClassifierDetector",
    "Classifies",
    "Clip",
    "DINOv2",
    "Detector",
    "Inception",
    "Seen",
    "describe",
    "detector",
    "look",
    "looks",
    "named",
]
