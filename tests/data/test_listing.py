"""Samples that lie somewhere are read at their own size, and what cannot be compared is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lodestar.data.listing import listing
from lodestar.errors import UsageError


def save(folder: Path, n: int, size: tuple[int, int] = (12, 8)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.new("RGB", size, (i, 10, 200)).save(folder / f"{i:03d}.png")
    return folder


def read(path: Path) -> torch.Tensor:
    return torch.cat(list(listing(path).batches()))


def test_a_folder_is_read_whole_and_uncut(tmp_path: Path) -> None:
    found = read(save(tmp_path / "some", 130))
    assert found.shape == (130, 3, 8, 12)
    assert found[:, 0, 0, 0].sort().values.tolist() == list(range(130))
    assert found[:, 0, 0, 0].tolist() != list(range(130))  # not as they lie


def test_class_folders_are_mixed_and_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save(tmp_path / name, 30)
    found = listing(tmp_path)
    assert found.kind == "class"
    assert found.said is not None
    assert set(found.said[:15]) == {"cat", "dog"}


def test_captions_stay_with_their_pictures(tmp_path: Path) -> None:
    save(tmp_path, 20)
    for i in range(20):
        (tmp_path / f"{i:03d}.txt").write_text(f"picture {i}")
    found = listing(tmp_path)
    assert found.kind == "caption"
    assert found.said == tuple(f"picture {int(v)}" for v in read(tmp_path)[:, 0, 0, 0])


@pytest.mark.parametrize("shape", [(30, 6, 4, 3), (30, 6, 4)])
def test_archives(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.arange(30, dtype=np.uint8).reshape(30, *[1] * (len(shape) - 1)) * np.ones(shape, np.uint8)
    np.savez(tmp_path / "some.npz", images, np.arange(30) * 2)
    found = listing(tmp_path / "some.npz")
    values = read(tmp_path / "some.npz")
    assert values.shape == (30, 3, 6, 4)
    assert found.said == tuple(str(2 * int(v)) for v in values[:, 0, 0, 0])


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((3, 4, 4, 3), np.float32), "holds floats, and pixels are uint8 from 0 to 255"),
        (np.zeros((3, 4, 4, 3), np.int64), "holds int64"),
        (np.zeros((3, 3, 4, 4), np.uint8), "move the channels to the end"),
        (np.zeros((0, 4, 4, 3), np.uint8), "holds no images"),
        (np.zeros(5, np.uint8), r"holds no pictures \[N, H, W, 3\]: it has \[5\]"),
    ],
)
def test_archives_of_something_else(tmp_path: Path, array: np.ndarray, why: str) -> None:
    np.savez(tmp_path / "some.npz", array)
    with pytest.raises(UsageError, match=why):
        listing(tmp_path / "some.npz")


def test_what_is_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder or file"):
        listing(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="cannot be read as"):
        listing(tmp_path / "nowhere.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK not an archive")
    with pytest.raises(UsageError, match="cannot be read as"):
        listing(tmp_path / "bad.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no images"):
        listing(tmp_path / "empty")


def test_several_sizes_are_refused_with_the_file(tmp_path: Path) -> None:
    save(tmp_path, 20)
    Image.new("RGB", (16, 16)).save(tmp_path / "odd.png")
    with pytest.raises(UsageError, match=r"several sizes \((12x8 and 16x16|16x16 and 12x8).*png\): bring them to one"):
        read(tmp_path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    save(tmp_path, 20)
    (tmp_path / "bad.png").write_bytes((tmp_path / "001.png").read_bytes()[:40])
    with pytest.raises(UsageError, match=r"bad\.png cannot be read"):
        read(tmp_path)
