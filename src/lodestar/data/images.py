"""From an image file of any kind to an 8-bit RGB square, and a note of what had to be changed.

Decoding is Pillow's. The policy is POLICY below; it is one for every source and part of what a source describes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

POLICY = (
    "turned as EXIF says, transparency composited over white, converted to 8-bit RGB (colour profiles ignored, "
    "16-bit divided by 257, first frame of an animation), shortest side resized by antialiased bicubic, centre square"
)


class Unreadable(Exception):
    """An item that is no picture; the text says why, `missing` that there is no such file, `column` whose it is."""

    missing = False
    column: str | None = None  # where it is not the first one's


@dataclass(frozen=True)
class Picture:
    """One picture read."""

    pixels: Tensor  # uint8 [3, R, R]; of several columns [3 K, R, R]
    notes: tuple[str, ...] = ()  # what was changed on the way, each a key of CHANGES


CHANGES = {
    "grey": "grey made RGB",
    "palette": "palette made RGB",
    "alpha": "transparency put over white",
    "CMYK": "CMYK made RGB",
    "16-bit": "16-bit made 8-bit",
    "other mode": "other colour mode made RGB",
    "turned": "turned as EXIF says",
    "resized": "cropped to the centre square or reduced",
    "enlarged": "smaller than the resolution and enlarged",
}

_MODES = {"1": "grey", "L": "grey", "LA": "grey", "La": "grey", "P": "palette", "PA": "palette", "CMYK": "CMYK"}
_ORIENTATION = 0x0112  # the EXIF tag


def attempt(raw: bytes | str | None, resolution: int) -> Picture | Unreadable:
    """The picture, or why there is none: as a value, so that it crosses threads and is counted by one of them."""
    try:
        return read(raw, resolution)
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged input
        return _why(error)


def together(raws: Mapping[str, bytes | str | None], resolution: int) -> Picture | Unreadable:
    """An item's pictures, by their columns, as one of more channels; or why it cannot be had whole."""
    found: list[Picture] = []
    for column, raw in raws.items():
        result = attempt(raw, resolution)
        if isinstance(result, Unreadable):
            return _of(column, result) if found else result
        found.append(result)
    return Picture(torch.cat([p.pixels for p in found]), tuple(note for p in found for note in p.notes))


def _of(column: str, why: Unreadable) -> Unreadable:
    """The same, which says of which column."""
    told = Unreadable(f"{column}: {why}")
    told.missing, told.column = why.missing, column
    return told


def read(raw: bytes | str | None, resolution: int) -> Picture:
    """Decode a file's bytes, or the file at a path or address, to an RGB square. Raises what Pillow raises."""
    from PIL import Image

    with Image.open(_file(raw)) as image:
        # JPEG can leave out detail that would be averaged away anyhow: at least 3 pixels for each one kept.
        full, notes = image.size, _colours(image)
        image.draft(image.mode, (3 * resolution, 3 * resolution))
        image.load()
        turned = image.getexif().get(_ORIENTATION, 1) != 1
        pixels = _tensor(square(rgb(upright(image) if turned else image), resolution))
    return Picture(pixels, (*notes, *["turned"] * turned, *_sizes(full, resolution)))


def whole(raw: bytes | str | None) -> Tensor | Unreadable:
    """The picture at its own size, uint8 [3, H, W]; or why there is none."""
    from PIL import Image

    try:
        with Image.open(_file(raw)) as image:
            return _tensor(rgb(upright(image)))
    except Exception as error:  # as in attempt()
        return _why(error)


def size(raw: bytes | str | None) -> int:
    """Number of pixels by the header alone; 0 for what is no picture."""
    from PIL import Image

    try:
        with Image.open(_file(raw)) as image:
            return image.width * image.height
    except Exception:  # as in attempt()
        return 0


def _why(error: Exception) -> Unreadable:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return Unreadable("no image format that Pillow knows")
    why = Unreadable((str(error) or type(error).__name__).splitlines()[0][:200])
    why.missing = isinstance(error, FileNotFoundError)
    return why


def upright(image: Image) -> Image:
    """The image turned and mirrored as its EXIF orientation asks."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def rgb(image: Image) -> Image:
    """8-bit RGB of any mode; what is transparent becomes white."""
    if image.mode.startswith("I"):
        image = _eight_bit(image)
    if image.mode == "F":
        raise Unreadable("floating-point pixels have no stated range")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    return _over_white(image.convert("RGBA"))


def square(image: Image, resolution: int) -> Image:
    """The shortest side resized to `resolution` pixels by antialiased bicubic, and the centre cut out."""
    from PIL import Image

    if image.size == (resolution, resolution):
        return image
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)


def _over_white(image: Image) -> Image:
    from PIL import Image

    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _eight_bit(image: Image) -> Image:
    """Modes I and I;16: integers of 16 bits, 0 black and 65535 white."""
    import numpy as np
    from PIL import Image

    wide = np.asarray(image).astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise Unreadable("integer pixels outside 0 to 65535 have no stated range")
    return Image.fromarray(((wide + 128) // 257).astype(np.uint8))


def _tensor(image: Image) -> Tensor:
    import numpy as np

    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _file(raw: bytes | str | None) -> io.BytesIO | str:
    if raw is None:
        raise Unreadable("there is no image")
    if isinstance(raw, bytes):
        return io.BytesIO(raw)
    if "://" not in raw:
        return raw
    return io.BytesIO(_fetch(raw))


def _fetch(address: str) -> bytes:
    """The bytes behind hf://, zip:// and the like, as streamed data sets name their files."""
    from datasets.utils.file_utils import xopen

    opened: Callable[..., io.BufferedIOBase] = xopen
    with opened(address, "rb") as file:
        return file.read()


def _colours(image: Image) -> list[str]:
    deep = image.mode.startswith("I") or ";16" in str(getattr(image, "tile", ""))
    mode = "grey" if image.mode.startswith("I") else _MODES.get(image.mode, "other mode")
    notes = [] if image.mode in ("RGB", "RGBA") else [mode]
    return notes + ["16-bit"] * deep + ["alpha"] * image.has_transparency_data


def _sizes(full: tuple[int, int], resolution: int) -> list[str]:
    if full == (resolution, resolution):
        return []
    return ["enlarged"] if min(full) < resolution else ["resized"]
