"""A detector: a frozen network that says what is in pictures, as rows of numbers that metrics compare.

    detector(images)    uint8 [B, C, H, W] -> float [B, D]

A number carries the name of its detector, for numbers of two detectors have nothing to do with each other: FD-scenes.
FID, KID and IS without a name are those of Inception-v3 with the weights that everybody uses for them, and of no other.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ...errors import UsageError

FID = "inception"  # the detector whose Frechet distance is FID
OWN = {"FD": "FID", "FD infinity": "FID infinity", "KD": "KID", "IS": "IS"}  # what its numbers are called


class Detector(Protocol):
    """What any object must have to be one; a plain function with these attributes will do."""

    @property
    def name(self) -> str:
        """That its numbers carry."""

    @property
    def dim(self) -> int:
        """D."""

    @property
    def digest(self) -> str:
        """Of its weights: two with the same name and another digest are two detectors."""

    @property
    def resize(self) -> str:
        """How pictures are brought to its size. Another way changes a Frechet distance by more than models differ."""

    @property
    def size(self) -> tuple[int, int, int]:
        """C, H, W of what its network reads, in pixels."""

    def __call__(self, images: Tensor) -> Tensor: ...


@runtime_checkable
class Classifies(Protocol):
    """A detector that also tells classes apart, from the same pass."""

    def classify(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The features [B, D], and of each question the log probabilities [B, K] of its answers."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a detector says of a batch: all that any metric asks for, from one pass."""

    features: Tensor  # float [B, D]
    log_p: Mapping[str, Tensor] = field(default_factory=dict)  # question -> float [B, K]; nothing of one that only sees


def look(detector: Detector, images: Tensor) -> Seen:
    """What it says of pictures uint8 [B, C, H, W]. Raises UsageError for other input, and for features that are not
    finite."""
    check_images(images, detector.size[0])
    with torch.inference_mode():
        seen = Seen(*detector.classify(images)) if isinstance(detector, Classifies) else Seen(detector(images))
    check_features(seen.features, detector, len(images))
    return seen


def looks(detector: Detector, batches: Iterable[Tensor]) -> Iterator[Seen]:
    """What it says of batches in turn. Raises UsageError where pictures have several sizes, or where none come."""
    first: tuple[int, ...] | None = None
    for images in batches:
        seen = look(detector, images)
        first = first or tuple(images.shape[1:])
        if tuple(images.shape[1:]) != first:
            sizes = " and ".join("x".join(map(str, s)) for s in (first, images.shape[1:]))
            raise UsageError(f"pictures of several sizes cannot be compared: {sizes}; bring them to one first")
        yield seen
    if first is None:
        raise UsageError("there are no pictures to look at")


def check_images(images: Tensor, channels: int = 3) -> None:
    """Raises UsageError for anything but pixels uint8 [B, C, H, W]; warns of pictures that are all black."""
    if not isinstance(images, Tensor):
        raise UsageError(f"a detector looks at one tensor of pictures of one size, got {type(images).__name__}")
    if images.dtype != torch.uint8:
        raise UsageError(f"a detector looks at pixels uint8 from 0 to 255, got {images.dtype}: {_mend(images)}")
    if images.ndim != 4 or images.shape[1] != channels:
        mend = "move the channels: images.movedim(-1, 1)" if images.ndim == 4 and images.shape[-1] == channels else ""
        raise UsageError(f"a detector looks at pictures [B, {channels}, H, W], got {list(images.shape)} {mend}")
    if images.numel() and int(images.max()) <= 1:
        if int(images.max()):
            what = "these pictures have no value above 1: were floats from 0 to 1 made uint8?"
            raise UsageError(f"{what} multiply by 255 and round first")
        warnings.warn("all pictures of a batch are black: were floats below 1 made uint8?", stacklevel=3)


def check_features(features: Tensor, detector: Detector, n: int) -> None:
    """Raises UsageError where a detector did not give float [n, D], or not finite ones."""
    if not features.is_floating_point() or tuple(features.shape) != (n, detector.dim):
        found = f"{features.dtype} {list(features.shape)}"
        raise UsageError(f"detector '{detector.name}' should give floats [{n}, {detector.dim}], got {found}")
    if not bool(features.isfinite().all()):
        row = int((~features.isfinite()).any(1).nonzero()[0])
        raise UsageError(f"detector '{detector.name}' gave nan or infinity for picture {row} of a batch")


def named(metric: str, detector: Detector) -> str:
    """What a number is called: "FD" becomes FID with Inception, and FD-scenes with a detector called scenes."""
    own = OWN if detector.name == FID else {}
    return own.get(metric, f"{metric}-{detector.name}")


def describe(detector: Detector) -> dict[str, object]:
    """What belongs into the protocol of a measurement, as JSON values."""
    told = {name: getattr(detector, name) for name in ("name", "dim", "digest", "resize")}
    return {**told, "size": list(detector.size)}


def digest(weights: Mapping[str, Tensor]) -> str:
    """Of weights by name, in fp32: the first 16 hexadecimal digits of their SHA-256. The same in any kind of file."""
    found = sha256()
    for name in sorted(weights):
        found.update(name.encode())
        found.update(weights[name].detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _mend(images: Tensor) -> str:
    if not images.is_floating_point():
        return "images.to(torch.uint8), if that is what they are"
    if not images.numel() or float(images.min()) < 0:
        return "of floats from -1 to 1, lodestar.pictures.to_uint8 makes them"
    return "(255 * images).round().to(torch.uint8), if they are from 0 to 1"


def unusable(what: str, package: str, error: Exception) -> UsageError:
    """That an optional package cannot be imported: it is missing, or what it stands on does not fit."""
    if find_spec(package.replace("-", "_")) is None:
        return UsageError(f'{what} needs {package}: pip install "lodestar-diffusion[measure]"')
    why = " ".join(str(error).split())
    mend = f"mostly a torchvision that does not fit torch {torch.__version__}: install one that does"
    return UsageError(f"{what} needs {package}, which is there and cannot be imported ({why}); {mend}")
