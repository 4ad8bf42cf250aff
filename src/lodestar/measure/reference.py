"""Real pictures that samples are compared with: their moments, and the features of the first KEEP.

They are looked at once: what was seen is kept in a folder of its own, in a file whose name is a hash of the data, its
split, the detector's weights and the resize. A file that is damaged is made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..data import Batch, Source
from ..data.archive import arrays
from ..errors import UsageError
from ..files import write_file
from .features import Detector, describe
from .features.detector import digest
from .gathering import KEEP, Gathering
from .metrics import Moments, nearest
from .metrics.real import Real

N = 10_000  # pictures
HELD = 1000  # held-out pictures, for memorisation
_TOGETHER = 100  # pictures
_VERSION = 1  # of the file
OnPictures = Callable[[int, int], None]  # pictures done, pictures in all


@dataclass(frozen=True, eq=False)
class Reference:
    facts: Mapping[str, Any]  # what it is of: JSON values, of which the key is a hash
    moments: Moments
    features: Tensor | None = None  # [K, D]; None where only moments are known
    held: Tensor | None = None  # [L, D] of pictures that training never sees
    colours: Mapping[str, float] = field(default_factory=dict)  # saturation and clipped values of the real pictures
    size: tuple[int, int] | None = None  # H, W

    @cached_property
    def real(self) -> Real | None:
        return None if self.features is None or len(self.features) < 20 else Real(self.features)

    @cached_property
    def own(self) -> Tensor | None:
        """From held-out pictures to the nearest of these, [L]."""
        return None if self.features is None or self.held is None else nearest(self.held, self.features)[0]

    @property
    def name(self) -> str:
        return f"{self.facts['data']}, {self.facts['split']}"


def reference(
    source: Source,
    detector: Detector,
    *,
    data: str,
    n: int = N,
    cache: Path | None = None,
    on_pictures: OnPictures | None = None,
) -> Reference:
    """Of the first n training pictures of a source in a fixed order, or of all where there are fewer.

    `data` is what it is called. With a `cache` it is read from there if it was seen before. Raises UsageError for fewer
    than two pictures.
    """
    n = min(n, int(source.describe().get("training", n)))  # type: ignore[call-overload]
    facts = {**_known(source, data), "n": n, "detector": describe(detector), "version": _VERSION}
    path = None if cache is None else cache / f"{key(facts)}.safetensors"
    found = None if path is None else read(path, facts)
    if found is None:
        found = _look(source, detector, n, facts, on_pictures)
        if path is not None:
            write_file(path, _bytes(found))
    return found


def key(facts: Mapping[str, Any]) -> str:
    """By which a reference is known: all of what it is of."""
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def folder() -> Path:
    """Where references are kept unless it is said otherwise: LODESTAR_CACHE, or lodestar in the user's cache."""
    given = os.environ.get("LODESTAR_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lodestar"


def from_moments(path: Path, detector: Detector) -> Reference:
    """Statistics that others published: .npz with `mu` and `sigma`; of so many pictures as `n` says, if it does.

    Raises UsageError where the file has none, or those of another detector.
    """
    found = arrays(path)
    try:
        mu, sigma = (torch.from_numpy(found[name]).double() for name in ("mu", "sigma"))
        n = int(found["n"]) if "n" in found else 50_000
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} has no statistics 'mu' and 'sigma': it has {', '.join(found) or 'nothing'}") from None
    if mu.shape != (detector.dim,) or sigma.shape != (detector.dim, detector.dim):
        got = f"{list(mu.shape)} and {list(sigma.shape)}"
        raise UsageError(f"{path} is of another detector than '{detector.name}' of {detector.dim} columns: {got}")
    if n < 2 or not bool(mu.isfinite().all() & sigma.isfinite().all()):
        raise UsageError(f"{path}: statistics must be finite, and of at least 2 pictures")
    of = {"statistics": digest({"mu": mu, "sigma": sigma})}
    facts = {"data": str(path), "split": "statistics", "n": n, "detector": describe(detector), **of}
    return Reference(facts, Moments(n, mu, sigma * (n - 1)))


def read(path: Path, facts: Mapping[str, Any]) -> Reference | None:
    """What was kept of a reference of these facts, or None where there is nothing whole."""
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {})["reference"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    if told["facts"] != json.loads(json.dumps(facts)):
        return None
    moments = Moments(told["n"], tensors["mean"], tensors["scatter"])
    return Reference(facts, moments, tensors["features"], tensors.get("held"), told["colours"], tuple(told["size"]))


def _bytes(reference: Reference) -> bytes:
    told = {
        "facts": reference.facts,
        "n": reference.moments.n,
        "colours": reference.colours,
        "size": reference.size,
    }
    parts = {"mean": reference.moments.mean, "scatter": reference.moments.scatter}
    optional = {"features": reference.features, "held": reference.held}
    tensors = {k: t.contiguous() for k, t in {**parts, **optional}.items() if t is not None}
    return save(tensors, {"reference": json.dumps(told)})


def _known(source: Source, data: str) -> dict[str, Any]:
    """What tells this data from other data."""
    told = json.loads(json.dumps(source.describe()))
    path = Path(data).expanduser()
    return {"data": data, "split": "training", "source": told, "files": _files(path) if path.exists() else None}


def _files(path: Path) -> str:
    """A hash of names, sizes and times: data that was changed is other data."""
    paths = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    told = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    return sha256(json.dumps(told).encode()).hexdigest()[:16]


def _look(
    source: Source, detector: Detector, n: int, facts: Mapping[str, Any], on_pictures: OnPictures | None
) -> Reference:
    if n < 2:
        raise UsageError(f"a reference takes at least 2 pictures, got {n}")
    gathering = Gathering(detector, n, splits=1, keep=KEEP)
    for batch in _first(source.batches(_TOGETHER, 0), n):
        _check_enlarged(source, batch)
        gathering.add(batch.images)
        if on_pictures is not None:
            on_pictures(gathering.seen, n)
    seen, held = gathering.done(), source.held_out(HELD)
    colours = {name: float(values.mean()) for name, values in seen.each.items()}
    return Reference(facts, seen.moments, seen.features, _features(detector, held), colours, seen.size)


def _check_enlarged(source: Source, batch: Batch) -> None:
    """Raise UsageError where pictures read so far were smaller than they are now."""
    changed = source.describe().get("changed")
    small = changed.get("enlarged", 0) if isinstance(changed, dict) else 0
    if small:
        size = "x".join(map(str, batch.images.shape[2:]))
        what = f"{small:,} of the real pictures are smaller than the {size} pixels of what they are compared with"
        raise UsageError(f"{what}, and blurred if enlarged: give a reference of at least that resolution")


def _first(batches: Iterator[Batch], n: int) -> Iterator[Batch]:
    for i, batch in enumerate(islice(batches, -(-n // _TOGETHER))):
        yield batch[: n - i * _TOGETHER] if n - i * _TOGETHER < len(batch) else batch


def _features(detector: Detector, held: Batch) -> Tensor:
    gathering = Gathering(detector, len(held), splits=1)
    for images in held.images.split(_TOGETHER):
        gathering.add(images)
    return gathering.done().features
