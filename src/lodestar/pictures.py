"""Pixels to pictures: uint8 and [-1, 1], labelled strips, and PNG files that carry their recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from .errors import UsageError
from .files import write_file

KEY = "lodestar"  # of the text chunk with the recipe
MARGIN, GAP = 10, 4  # pixels
INK, PAPER = (30, 30, 30), (255, 255, 255)
LABEL = 150  # pixels: the widest line of a label
NARROWEST = 240  # pixels: of a strip with a title
TITLE_SIZE, LABEL_SIZE = 16, 14  # pixels


def to_uint8(x: Tensor) -> Tensor:
    """Floats in [-1, 1], clamped, to the nearest of 256 values; any shape."""
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_uint8(pixels: Tensor) -> Tensor:
    """The inverse: uint8 to fp32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def strip(
    rows: Sequence[Tensor], labels: Sequence[str] = (), title: str = "", *, columns: int = 8, side: int = 96
) -> Image.Image:
    """Rows of images, uint8 [N, H, W, 1 or 3], each with a label at its left, under one title.

    A row of more than `columns` images goes on in the next line. Small images are enlarged by whole factors, pixel by
    pixel, until they are at least `side` pixels wide.
    """
    if not rows or any(not len(row) for row in rows) or len(labels) not in (0, len(rows)):
        raise UsageError("a strip needs rows with images in them, and either no labels or one for each row")
    tiles = [_tiles(row, columns, side) for row in rows]
    notes = [_text(label, LABEL_SIZE, LABEL) for label in labels]
    left = MARGIN + max((n.width + MARGIN for n in notes), default=0)
    width = max(left + max(t.width for t in tiles) + MARGIN, NARROWEST if title else 0)
    head = _text(title, TITLE_SIZE, width - 2 * MARGIN)
    top = MARGIN + (head.height + MARGIN if title else 0)
    heights = [max(t.height, n.height) for t, n in zip(tiles, notes or tiles, strict=True)]
    canvas = Image.new("RGB", (width, top + sum(heights) + GAP * (len(heights) - 1) + MARGIN), PAPER)
    canvas.paste(head, (MARGIN, MARGIN))
    for i, (tile, height) in enumerate(zip(tiles, heights, strict=True)):
        canvas.paste(tile, (left, top))
        if notes:
            canvas.paste(notes[i], (MARGIN, top + (height - notes[i].height) // 2))
        top += height + GAP
    return canvas


def picture(image: Tensor) -> Image.Image:
    """One image, uint8 [H, W, 1 or 3], pixel by pixel."""
    return Image.fromarray(image.expand(-1, -1, 3).cpu().contiguous().numpy())


def save_png(image: Image.Image, path: Path | str, recipe: Mapping[str, object] | None = None) -> None:
    """A PNG with its recipe, whole or not at all. Raises UsageError where it cannot be written, and for other names."""
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"{path} must end in .png, which is what is written")
    write_file(path, png(image, recipe))


def png(image: Image.Image, recipe: Mapping[str, object] | None = None) -> bytes:
    """A PNG file's content, with its recipe in a text chunk."""
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        info.add_itxt(KEY, json.dumps(recipe, ensure_ascii=False))
    buffer = BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def picture_within(path: Path | str, most: int) -> tuple[str, bytes] | None:
    """The media type and the content of a picture's file, or where it has more bytes than this of a WebP that has not.

    None where even a small one has more. Raises UsageError where the file is not a whole picture.
    """
    whole = picture(read_picture(path, 3))
    data = Path(path).read_bytes()
    if len(data) <= most and data.startswith(b"\x89PNG"):
        return "image/png", data
    tries = (_webp(whole.reduce(part), quality) for part, quality in ((1, 80), (1, 40), (2, 60), (4, 40)))
    return next((("image/webp", each) for each in tries if len(each) <= most), None)


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def read_picture(path: Path | str, channels: int) -> Tensor:
    """A picture file as uint8 [H, W, C], in grey for one channel and else in colour; what is transparent is white.

    Raises UsageError where it cannot be read.
    """
    try:
        with Image.open(path) as image:
            colours = _eight_bit(image).convert("RGBA")
            whole = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours)
            values = torch.frombuffer(
                bytearray(whole.convert("L" if channels == 1 else "RGB").tobytes()), dtype=torch.uint8
            )
            return values.reshape(image.height, image.width, -1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is not a whole picture: {error}") from None


def read_recipe(path: Path | str) -> dict[str, object]:
    """The recipe in a PNG of `save_png`. Raises UsageError if the file is no PNG or has none."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            text = image.text.get(KEY)  # type: ignore[attr-defined]
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is not a whole PNG: {error}") from None
    return _recipe(path, text)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image; of 16-bit grey, which Pillow would clip, the values divided by 257."""
    if image.mode == "F":
        raise ValueError("floating-point pixels have no stated range, save it with 8 or 16 bits")
    return image.convert("I").point(lambda v: v / 257 + 0.5).convert("L") if image.mode.startswith("I") else image


def _recipe(path: Path | str, text: str | None) -> dict[str, object]:
    try:
        recipe = json.loads(text or "null")
    except ValueError:
        recipe = None
    if not isinstance(recipe, dict):
        raise UsageError(f"{path} carries no recipe of Lodestar: was it saved again by another program?")
    return recipe


def _tiles(images: Tensor, columns: int, side: int) -> Image.Image:
    """The images [N, H, W, C] of one row, enlarged, in lines of at most `columns`."""
    n, h, w, _ = images.shape
    k = max(1, -(-side // w))
    across, down = min(n, columns), -(-n // columns)
    canvas = Image.new("RGB", (across * (w * k + GAP) - GAP, down * (h * k + GAP) - GAP), PAPER)
    for i, image in enumerate(images):
        tile = picture(image).resize((w * k, h * k), Image.Resampling.NEAREST)
        canvas.paste(tile, (i % columns * (w * k + GAP), i // columns * (h * k + GAP)))
    return canvas


def _text(text: str, size: int, width: int) -> Image.Image:
    """Text as an image that is no wider than this, broken between words, with "..." after too long a word."""
    font = ImageFont.load_default(size)
    lines = _lines(text.split(), font, width)
    height = round(size * 1.3)
    widest = max((font.getlength(line) for line in lines), default=0)
    canvas = Image.new("RGB", (max(1, min(width, int(widest) + 1)), max(1, height * len(lines))), PAPER)
    for i, line in enumerate(lines):
        ImageDraw.Draw(canvas).text((0, i * height), line, INK, font)
    return canvas


def _lines(words: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in (_fit(w, font, width) for w in words):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _fit(word: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(word) <= width:
        return word
    kept = next((k for k in range(len(word), 0, -1) if font.getlength(f"{word[:k]}...") <= width), 1)
    return f"{word[:kept]}..."
