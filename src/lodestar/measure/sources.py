"""Real data by its name on a command line, for a detector and at a resolution: what samples are compared with."""

from __future__ import annotations

from pathlib import Path

from ..data import Reading, Source, open_source
from ..data.scenes.source import ScenesSource
from ..data.scenes.triples import EditsSource
from ..errors import UsageError
from .features import Detector
from .reference import OnPictures, Reference, from_moments, reference

SCENES, EDITS = "scenes", "edits"


def source(data: str, resolution: int) -> Source | None:
    """`scenes`, `edits`, a folder, a .parquet file or a data set of the Hub; None for published statistics (.npz)."""
    if data in (SCENES, EDITS):
        return ScenesSource(resolution) if data == SCENES else EditsSource(resolution)
    return None if data.endswith(".npz") else open_source(data, resolution, Reading())


def compared(
    data: str,
    opened: Source | None,
    detector: Detector,
    n: int,
    cache: Path | None,
    on_pictures: OnPictures | None = None,
) -> Reference:
    """The reference that data of this name is, opened so. Raises UsageError where it cannot be read."""
    if opened is not None:
        return reference(opened, detector, data=data, n=n, cache=cache, on_pictures=on_pictures)
    path = Path(data).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {data}")
    return from_moments(path, detector)


def own(recipe: object) -> str | None:
    """The data that a model was trained on, as its card tells it, if it can be had again."""
    told = recipe.get("source") if isinstance(recipe, dict) else None
    if not isinstance(told, dict):
        return None
    if told.get("source") in (SCENES, EDITS):
        return str(told["source"])
    path = told.get("data")
    return str(path) if isinstance(path, str) and Path(path).expanduser().exists() else None
