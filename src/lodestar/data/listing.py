"""Pictures at their own size: samples that somebody else drew, to be measured.

a folder of images, a .parquet file           as training reads them, but uncut and not resized
an .npz of uint8 [N, H, W, 3], or [N, H, W]   with labels int [N] beside, if there are some (the ADM evaluator's)

They come in an order that is drawn, always the same one: as they lie they are often sorted by class, and a part of
them would not be like the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core import generator
from ..errors import UsageError
from .archive import arrays
from .captions import spoken
from .columns import choose
from .images import Unreadable, whole
from .loading import load, training_split
from .pictures import file

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

_TOGETHER = 100  # pictures
_ORDER = 0x6C697374  # keeps this draw apart from others of the same number


@dataclass(frozen=True, eq=False)
class Listing:
    """N pictures, with a class or a caption of each where they are told."""

    path: Path
    pictures: Dataset | Tensor  # undecoded, or uint8 [N, H, W, 1 or 3]
    column: str = ""  # of a data set
    said: tuple[Any, ...] | None = None  # [N], classes as they are called, or captions
    kind: str | None = None  # "class" or "caption": what is said
    order: Tensor | None = None  # int64 [N], of a tensor of pictures: a copy of them would be as large again

    def __len__(self) -> int:
        return len(self.pictures)

    def batches(self) -> Iterator[Tensor]:
        """uint8 [B, 3, H, W]. Raises UsageError for one that cannot be read, or of another size than the first."""
        size: tuple[int, ...] | None = None
        for at in range(0, len(self), _TOGETHER):
            rows = range(at, min(at + _TOGETHER, len(self)))
            images = self._taken(rows) if isinstance(self.pictures, Tensor) else self._decoded(rows, size)
            size = tuple(images.shape[1:])
            yield images

    def _taken(self, rows: range) -> Tensor:
        assert isinstance(self.pictures, Tensor)
        taken = slice(rows.start, rows.stop)
        images = self.pictures[taken if self.order is None else self.order[taken]]
        return images.expand(-1, -1, -1, 3).movedim(-1, 1).contiguous()

    def _decoded(self, rows: range, size: tuple[int, ...] | None) -> Tensor:
        found = []
        assert not isinstance(self.pictures, Tensor)
        for row, value in zip(rows, self.pictures[rows.start : rows.stop][self.column], strict=True):
            raw, path = file(value)
            where = path or f"row {row}"
            image = whole(raw)
            if isinstance(image, Unreadable):
                raise UsageError(f"{self.path}: {where} cannot be read: {image}")
            size = size or tuple(image.shape)
            if tuple(image.shape) != size:
                both = " and ".join(f"{w}x{h}" for _, h, w in (size, tuple(image.shape)))
                raise UsageError(f"{self.path}: pictures of several sizes ({both}, {where}): bring them to one first")
            found.append(image)
        return torch.stack(found)


def listing(path: Path | str) -> Listing:
    """What is there. Raises UsageError where there is nothing, or nothing that can be read."""
    path = Path(path).expanduser()
    if path.suffix == ".npz":
        return _archive(path)
    if not path.exists():
        raise UsageError(f"there is no folder or file {path}")
    splits = load(path)
    split: Any = splits[training_split(list(splits), None)]
    if not len(split):
        raise UsageError(f"'{path}' holds no images")
    return _listed(path, split)


def _listed(path: Path, split: Dataset) -> Listing:
    from datasets import Image

    columns, split = choose(split.features), split.select(_order(len(split)).numpy())
    told = columns.label or columns.caption
    values = tuple(split[told]) if told else None
    if values is not None:
        named = getattr(split.features[told], "int2str", str) if columns.label else partial(spoken, turn=0)
        values = tuple(named(value) for value in values)
    pictures = split.select_columns([columns.image]).cast_column(columns.image, Image(decode=False))
    kind = "class" if columns.label else "caption" if columns.caption else None
    return Listing(path, pictures, columns.image, values, kind)


def _order(n: int) -> Tensor:
    return torch.randperm(n, generator=generator(n, _ORDER))


def _archive(path: Path) -> Listing:
    import numpy as np

    found = list(arrays(path).values())
    images = next((a for a in found if a.ndim == 4 or (a.ndim == 3 and a.dtype == np.uint8)), None)
    if images is None:
        shapes = ", ".join(str(list(a.shape)) for a in found) or "nothing"
        raise UsageError(f"{path} holds no pictures [N, H, W, 3]: it has {shapes}")
    _check(path, images)
    order = _order(len(images))
    pixels = torch.from_numpy(images[..., None] if images.ndim == 3 else images)
    labels = next((a for a in found if a.ndim == 1 and a.dtype.kind in "iu" and len(a) == len(images)), None)
    said = None if labels is None else tuple(map(str, labels[order.numpy()].tolist()))
    return Listing(path, pixels, said=said, kind="class" if said else None, order=order)


def _check(path: Path, images: np.ndarray) -> None:
    if not len(images):
        raise UsageError(f"{path} holds no images")
    if images.dtype.kind == "f":
        mend = "save them as uint8, (255 * images).round() of values from 0 to 1"
        raise UsageError(f"{path} holds floats, and pixels are uint8 from 0 to 255: {mend}")
    if images.dtype.name != "uint8":
        raise UsageError(f"{path} holds {images.dtype}, and pixels are uint8 from 0 to 255")
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        mend = " (move the channels to the end)" if images.shape[1] in (1, 3) else ""
        raise UsageError(f"{path} holds {list(images.shape)}, and pictures are [N, H, W, 3]{mend}")
