"""Small data sets to read, made afresh for each test."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from lodestar.data import Batch


def picture(path: Path, number: int = 0, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Path:
    """A plain picture whose red channel is its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number, 0, 0)).convert(mode).save(path)
    return path


def png(number: int) -> bytes:
    """The file of such a picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def numbers(batch: Batch) -> list[int]:
    """Which pictures these are."""
    return batch.images[:, 0, 4, 4].tolist()


def all_numbers(batches: Iterable[Batch]) -> list[int]:
    """Which pictures these are, one batch after the other."""
    return [number for batch in batches for number in numbers(batch)]


def classes(folder: Path, counts: Mapping[str, int]) -> Path:
    """Class folders; pictures are numbered from 0 through all of them."""
    number = 0
    for name, count in counts.items():
        for _ in range(count):
            picture(folder / name / f"{number:03}.png", number)
            number += 1
    return folder


def captioned(folder: Path, captions: Sequence[object], column: str = "text", **more: Sequence[object]) -> Path:
    """Numbered pictures with metadata.jsonl."""
    rows = [{"file_name": f"{i:03}.png", column: text} for i, text in enumerate(captions)]
    for i, row in enumerate(rows):
        picture(folder / str(row["file_name"]), i)
        row.update({name: values[i] for name, values in more.items()})
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def beside(folder: Path, captions: Sequence[str]) -> Path:
    """Numbered pictures with a text file beside each."""
    for i, text in enumerate(captions):
        picture(folder / f"{i:03}.png", i).with_suffix(".txt").write_text(text, encoding="utf-8")
    return folder
