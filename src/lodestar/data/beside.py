"""Captions in text files beside the images, as fine-tuning tools keep them: photo.png and photo.txt.

Each line is a caption; of several, one after the other is told as epochs go by.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import UsageError
from .captions import EXTENSIONS, few, has_metadata

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

Beside: TypeAlias = Mapping[str, list[str]]  # the captions of an image, by its path without the ending


def beside(folder: Path) -> Beside:
    """The captions beside the images of a folder; none where no image has any, or where a metadata file has them.

    Raises UsageError, naming the first few, for texts that are of no image, empty, or no text.
    """
    files = list(_files(folder))
    texts = {_bare(path): path for path in files if path.lower().endswith(".txt")}
    images = {_bare(path) for path in files if path.lower().endswith(EXTENSIONS)}
    if not images & texts.keys() or has_metadata(files):
        return {}
    astray = [path for image, path in texts.items() if image not in images]
    _refuse(folder, astray, texts, "have no image of their name", "add the images, or remove these files")
    told = {image: _lines(path) for image, path in texts.items()}
    odd = [texts[image] for image, lines in told.items() if lines is None]
    _refuse(folder, odd, texts, "are no UTF-8 text", "save them as such")
    empty = [texts[image] for image, lines in told.items() if not lines]
    _refuse(folder, empty, texts, "are empty", "write captions, or remove these files to leave their images out")
    return {image: lines for image, lines in told.items() if lines}


def captioned(split: Dataset | IterableDataset, told: Beside) -> Any:
    """The images of a split that have captions, with these as the column `text`."""
    from datasets import Dataset, Features, Image, Sequence, Value

    features = Features({"image": Image(decode=False), "text": Sequence(Value("string"))})
    images = split.select_columns(["image"]).cast_column("image", features["image"])
    if not isinstance(images, Dataset):
        known = images.filter(lambda row: _key(row["image"]) in told)
        return known.map(lambda row: {"text": told[_key(row["image"])]}, features=features)
    texts = [told.get(_key(image)) for image in images[:]["image"]]
    return images.add_column("text", texts, feature=features["text"]).select([i for i, t in enumerate(texts) if t])


def _files(folder: Path) -> Iterator[str]:
    """All that `datasets` would see: what is hidden is left out."""
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        yield from (os.path.join(at, name) for name in sorted(names) if not name.startswith((".", "__")))


def _key(image: Mapping[str, Any]) -> str:
    return _bare(image["path"])


def _bare(path: str) -> str:
    return os.path.splitext(os.path.normpath(path))[0]


def _lines(path: str) -> list[str] | None:
    """The lines of a text that have something in them; None if it is no text."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return None
    return [line.strip() for line in lines if line.strip()]


def _refuse(folder: Path, paths: Sequence[str], texts: Mapping[str, str], what: str, mend: str) -> None:
    if paths:
        named = few(folder, sorted(paths))
        raise UsageError(f"{folder}: {len(paths):,} of {len(texts):,} caption files {what}: {named}: {mend}")
