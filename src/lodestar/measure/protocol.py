"""How a number was measured, beside every number; and what makes one mislead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from ..version import __version__
from .features import Detector, describe
from .features.detector import FID
from .reference import Reference, key

OF_FID = 50_000  # samples, as everybody compares it
FEW = 2  # samples for each column of features, below which a Frechet distance is mostly bias


def protocol(detector: Detector, reference: Reference | None, pictures: Mapping[str, Any]) -> dict[str, Any]:
    """The block: JSON values. `pictures` says where the samples are from, how many and with which seeds."""
    told = None
    if reference is not None:
        kept = 0 if reference.features is None else len(reference.features)
        told = {k: reference.facts[k] for k in ("data", "split", "n")} | {"size": reference.size, "kept": kept}
        told["digest"] = key(reference.facts)
    versions = {"lodestar": __version__, "torch": torch.__version__}
    return {**pictures, "reference": told, "detector": describe(detector), "versions": versions}


def cautions(
    n: int,
    detector: Detector,
    reference: Reference | None,
    labels: Mapping[object, int] | None = None,
    classes: int = 0,
) -> Iterator[str]:
    """What would mislead in these numbers, a line each; `labels` are how many samples each class of `classes` has."""
    if n < detector.dim:
        what = f"{n} samples are fewer than the {detector.dim} features of '{detector.name}'"
        yield f"{what}: a Frechet distance of so few is mostly bias; compare at equal n only, or read KD and MIND"
    elif n < FEW * detector.dim:
        yield f"{n} samples for {detector.dim} features: a Frechet distance is far too large; compare at equal n only"
    if detector.name == FID and n < OF_FID:
        yield f"FID is compared at {OF_FID:,} samples, and these are {n:,}: give n beside it"
    if reference is not None and reference.moments.n < max(n, FEW * detector.dim):
        yield f"the reference has {reference.moments.n:,} pictures, which is few: its own bias is in every distance"
    if labels and (max(labels.values()) > 1.5 * min(labels.values()) or len(labels) < classes):
        none = f", and {classes - len(labels)} of {classes} not at all" if len(labels) < classes else ""
        yield f"classes come in unequal numbers{none}: a distance to balanced real pictures counts that as an error"


def counted(labels: Iterable[object]) -> dict[object, int]:
    """How often each class comes."""
    return dict(Counter(labels))
