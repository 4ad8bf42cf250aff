"""Captions in text files beside the images: photo.png and photo.txt."""

from itertools import islice

import pytest
from folders import beside, captioned, classes, numbers, picture

from lodestar.data import Reading, open_source
from lodestar.errors import UsageError


@pytest.fixture
def opened(tmp_path):
    def call(data, **choices):
        return open_source(data, 8, Reading(cache=tmp_path / "cache", workers=2, **choices))

    return call


def told(source, count=5):
    """Which pictures there are, each with all that is ever said of it."""
    seen = {}
    for batch in islice(source.batches(4, 0), count):
        for number, text in zip(numbers(batch), batch.texts, strict=True):
            seen.setdefault(number, set()).add(text)
    return seen


@pytest.mark.parametrize("streaming", [False, True])
def test_the_caption_of_an_image_is_the_text_of_its_name(tmp_path, opened, streaming):
    folder = beside(tmp_path / "d", [f"number {i}\n" for i in range(8)])
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "copy.txt").write_text("of an editor's")
    source = opened(folder, streaming=streaming, held=2)
    seen = told(source)
    assert len(seen) == 6
    assert seen == {n: {f"number {n}"} for n in seen}
    held = source.held_out(2)
    assert held.texts == [f"number {n}" for n in numbers(held)]
    assert source.classes is None


def test_lines_are_captions_that_take_turns(tmp_path, opened):
    source = opened(beside(tmp_path / "d", ["\ufeffone\n\n two \n"] * 5), held=1)
    assert [set(b.texts) for b in islice(source.batches(4, 0), 3)] == [{"one"}, {"two"}, {"one"}]


def test_folders_of_splits_are_splits_and_others_no_classes(tmp_path, opened):
    beside(tmp_path / "d" / "train" / "cats", ["a cat"] * 3)
    beside(tmp_path / "d" / "train" / "dogs", ["a dog"] * 3)
    beside(tmp_path / "d" / "validation", ["a cow"] * 2)
    source = opened(tmp_path / "d")
    assert set(source.texts(6)) == {"a cat", "a dog"}
    assert source.held_out(9).texts == ["a cow"] * 2
    assert source.classes is None


def test_images_without_a_text_are_left_out_and_said_so(tmp_path, opened):
    folder = beside(tmp_path / "d", ["a", "b", "c"])
    picture(folder / "extra.png", 9)
    with pytest.warns(UserWarning, match=r"1 images without a caption are left out: extra.png"):
        source = opened(folder)
    assert 9 not in told(source)


def test_metadata_goes_before_texts(tmp_path, opened):
    folder = captioned(tmp_path / "d", ["listed"] * 4)
    beside(folder, ["beside"] * 4)
    (folder / "notes.txt").write_text("of mine")
    assert set(opened(folder).texts(4)) == {"listed"}


def test_new_texts_are_read_again(tmp_path, opened):
    opened(beside(tmp_path / "d", ["old"] * 3))
    assert set(opened(beside(tmp_path / "d", ["new"] * 3)).texts(3)) == {"new"}


def test_texts_that_are_named_as_no_image_is_leave_classes_alone(tmp_path, opened):
    folder = classes(tmp_path / "d", {"cat": 2, "dog": 2})
    (folder / "licence.txt").write_text("free")
    assert opened(folder).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda d: [(d / f"00{i}.png").unlink() for i in range(4)], r"4 of 9 .* no image .*: 000.txt, .* and 1 more"),
        (lambda d: (d / "a" / "licence.txt").write_text("free"), r"1 of 10 .* no image .* name: a/licence.txt: "),
        (lambda d: (d / "003.txt").write_text(" \n"), r"1 of 9 .* empty: 003.txt: "),
        (lambda d: (d / "003.txt").write_bytes(b"\xff\xfe\x00"), r"1 of 9 .* no UTF-8 text: 003.txt: "),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_texts_that_say_nothing_of_an_image_are_named(tmp_path, opened, spoil, says, streaming):
    folder = beside(tmp_path / "d", ["a"] * 9)
    (folder / "a").mkdir()
    spoil(folder)
    with pytest.raises(UsageError, match=says) as refused:
        opened(folder, streaming=streaming)
    assert "\n" not in str(refused.value)
    assert str(folder) in str(refused.value)


def test_mirroring_is_refused_where_texts_tell_sides(tmp_path, opened):
    with pytest.raises(UsageError, match="leave flip off"):
        opened(beside(tmp_path / "d", ["a cat", "a cat left of a dog"]), flip=True)
