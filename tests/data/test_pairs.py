"""Pictures and vectors that stand beside the images: a second image column, and a column of lists of numbers."""

import json
import os
from itertools import islice
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from folders import numbers, picture, png
from PIL import Image

from lodestar.data import Batch, Reading, Source, differences, open_source, shapes
from lodestar.data.columns import choose
from lodestar.errors import UsageError

BEFORE = 100  # picture i stands beside picture i + BEFORE's


def pairs(folder: Path, count: int = 20, **more: list[object]) -> Path:
    """Numbered pictures, what was before each in a folder of its own, instructions, and further columns."""
    rows = [
        {"file_name": f"{i:03}.png", "before_file_name": f"was/{i:03}.png", "text": f"make it {i}"}
        for i in range(count)
    ]
    for i, row in enumerate(rows):
        picture(folder / row["file_name"], i)
        picture(folder / row["before_file_name"], BEFORE + i)
        row.update({name: values[i] for name, values in more.items()})
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


@pytest.fixture(params=[False, True], ids=["stored", "streamed"])
def opened(request, tmp_path):
    def call(data: Path, resolution: int = 8, **choices) -> Source:
        reading = Reading(cache=tmp_path / "c", workers=2, held=4, streaming=request.param, buffer=8, **choices)
        return open_source(data, resolution, reading)

    return call


def stored(data: Path, tmp_path: Path, **choices) -> Source:
    return open_source(data, 8, Reading(cache=tmp_path / "c", workers=2, held=4, **choices))


def batches(source: Source, count: int, size: int = 4) -> list[Batch]:
    return list(islice(source.batches(size, 0), count))


def before(batch: Batch) -> list[int]:
    return batch.conditions["image"][:, 0, 4, 4].tolist()


def test_each_picture_comes_with_the_one_before_it(tmp_path, opened):
    source = opened(pairs(tmp_path / "d"), before_column="before")
    assert shapes(source) == {"image": (3, 8, 8)}
    for batch in (*batches(source, 6), source.held_out(3)):
        assert batch.conditions["image"].shape == batch.images.shape
        assert before(batch) == [BEFORE + n for n in numbers(batch)]
        assert batch.texts == [f"make it {n}" for n in numbers(batch)]


@pytest.mark.filterwarnings("ignore:.*left out")
def test_what_stands_beside_is_read_only_when_asked_for(tmp_path, opened):
    source = opened(pairs(tmp_path / "d"))
    assert shapes(source) == {}
    assert next(source.batches(4, 0)).conditions == {}


def test_vectors_of_a_column(tmp_path, opened):
    poses = [[i, i / 2] for i in range(20)]
    source = opened(pairs(tmp_path / "d", pose=poses), before_column="before", vector_column="pose")
    assert shapes(source) == {"image": (3, 8, 8), "vector": (2,)}
    for batch in (*batches(source, 2), source.held_out(3)):
        assert torch.equal(batch.conditions["vector"], torch.tensor([poses[n] for n in numbers(batch)]))


@pytest.mark.parametrize(
    ("bad", "got"),
    [
        ([1.0], r"got \[1.0\]"),
        (None, "got None"),
        ([1.0, None], r"got \[1.0, None\]"),
        ([], r"got \[\]"),
        ([1.0, 1e39], r"got \[1.0, 1e\+39\]"),
    ],
)
def test_a_vector_that_does_not_fit_is_named(tmp_path, opened, bad, got):
    poses = [[float(i), 0.5] for i in range(19)] + [bad]
    source = lambda: opened(pairs(tmp_path / "d", pose=poses), vector_column="pose")  # noqa: E731
    with pytest.raises(UsageError, match=f"column 'pose' must hold a list of 2 numbers in every row, {got}"):
        batches(source(), 6)


def test_parquet_with_the_names_of_instruct_pix2pix(tmp_path, opened):
    rows = {
        "input_image": [{"bytes": png(BEFORE + i), "path": None} for i in range(12)],
        "edit_prompt": [f"make it {i}" for i in range(12)],
        "edited_image": [{"bytes": png(i), "path": None} for i in range(12)],
    }
    Dataset.from_dict(rows).to_parquet(tmp_path / "d.parquet")
    [batch] = batches(opened(tmp_path / "d.parquet", before_column="input_image"), 1)
    assert before(batch) == [BEFORE + n for n in numbers(batch)]
    assert batch.texts == [f"make it {n}" for n in numbers(batch)]


@pytest.mark.parametrize(
    ("where", "said"), [("010.png", "no image format"), ("was/010.png", "before: no image format")]
)
def test_a_pair_with_a_damaged_picture_is_left_out_whole(tmp_path, opened, where, said):
    folder = pairs(tmp_path / "d", 120)
    (folder / where).write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=rf"1 of \d+( read)? items cannot be read: 010.png \({said}.*: skipped"):
        seen = batches(opened(folder, before_column="before"), 30)
    assert 10 not in [n for batch in seen for n in numbers(batch)]
    assert all(before(batch) == [BEFORE + n for n in numbers(batch)] for batch in seen)


def test_a_file_before_that_is_missing_is_named(tmp_path, opened):
    folder = pairs(tmp_path / "d")
    os.remove(folder / "was" / "007.png")
    with pytest.raises(UsageError, match=r"missing: .*was/007.png"):
        batches(opened(folder, before_column="before"), 6)


def test_sizes_and_modes_are_converted_and_said(tmp_path):
    folder = pairs(tmp_path / "d")
    picture(folder / "was" / "005.png", 105, size=(20, 12), mode="RGBA")
    picture(folder / "006.png", 6, size=(9, 8))
    with pytest.warns(UserWarning, match=r"of 20 images read, .*2 cropped"):
        source = stored(folder, tmp_path, before_column="before")
    assert source.describe()["changed"] == {"alpha": 1, "resized": 2}
    assert source.held_out(4).conditions["image"].shape == (4, 3, 8, 8)


def test_mirrored_pairs_stay_in_step(tmp_path):
    folder = pairs(tmp_path / "d", 12)
    for i in range(12):
        for name in (f"{i:03}.png", f"was/{i:03}.png"):
            Image.frombytes("L", (8, 8), bytes([*range(8)] * 8)).convert("RGB").save(folder / name)
    (folder / "metadata.jsonl").write_text((folder / "metadata.jsonl").read_text().replace("make it", "change"))
    [batch] = batches(stored(folder, tmp_path, before_column="before", flip=True), 1, size=64)
    assert torch.equal(batch.images, batch.conditions["image"])
    assert 16 < int((batch.images[:, 0, 0, 0] == 7).sum()) < 48


@pytest.mark.filterwarnings("ignore:.*left out")
def test_vectors_are_not_mirrored(tmp_path):
    folder = pairs(tmp_path / "d", pose=[[1.0]] * 20)
    with pytest.raises(UsageError, match="flip does not know what vectors say of left and right: leave flip off"):
        stored(folder, tmp_path, vector_column="pose", flip=True)


@pytest.mark.filterwarnings("ignore:.*left out")
def test_other_columns_are_other_data_and_none_is_as_it_was(tmp_path, opened):
    folder = pairs(tmp_path / "d", pose=[[1.0]] * 20)
    plain, beside = (opened(folder, **c).describe() for c in ({}, {"before_column": "before"}))
    assert plain["columns"] == {"image": "image", "caption": "text", "label": None}
    assert differences(plain, beside) == ["columns"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"before": "text"}, "column 'text' does not hold images: choose another with --before-column"),
        ({"before": "befor"}, "unknown before column 'befor': did you mean 'before'"),
        ({"before": "image", "image": "image"}, "column 'image' holds the images themselves: choose another with"),
        ({"vector": "text"}, "column 'text' does not hold lists of numbers: choose another with --vector-column"),
        ({"vector": "image"}, "column 'image' does not hold lists of numbers"),
    ],
)
def test_columns_that_are_no_such_thing(asked, message):
    from datasets import Features, List, Value
    from datasets import Image as ImageColumn

    features = {"image": ImageColumn(), "before": ImageColumn(), "text": Value("string"), "pose": List(Value("int64"))}
    with pytest.raises(UsageError, match=message):
        choose(Features(features), **asked)
