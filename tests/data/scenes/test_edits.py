"""Triples of a picture, an instruction and the picture after it; and the check of whether one was followed."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from spoil import noisy

from lodestar.data.scenes.changes import KINDS, Change, failure, meaning, parse, psnr, target, untouched
from lodestar.data.scenes.edits import Edits, draw
from lodestar.data.scenes.reader import read, truth
from lodestar.data.scenes.render import render
from lodestar.data.scenes.world import COLOURS, HELD_OUT, MOST, SHAPES, Scenes
from lodestar.errors import UsageError

N = 600
EDITS = draw(np.arange(N))
BEFORE, AFTER = truth(EDITS.before), truth(EDITS.after)
ROWS = list(zip(BEFORE, EDITS.changes, AFTER, strict=True))


def kinds(scenes: Scenes) -> list[set[tuple[str, str]]]:
    names = list(COLOURS)
    return [
        {(names[scenes.colour[i, k]], SHAPES[scenes.shape[i, k]]) for k in range(scenes.count[i])}
        for i in range(len(scenes))
    ]


def test_a_triple_is_a_function_of_its_index() -> None:
    some = draw(np.array([17, 3]))
    assert [some.changes[1], some.changes[0]] == [EDITS.changes[3], EDITS.changes[17]]
    assert np.array_equal(render(some.after, 16)[0], render(EDITS.after, 16)[17])


def test_every_kind_of_edit_comes_often() -> None:
    found = Counter(c.kind for c in EDITS.changes)
    assert set(found) == set(KINDS)
    assert min(found.values()) > N / 12


def test_what_is_written_is_read() -> None:
    assert all(parse(str(c)) == c for c in EDITS.changes)
    assert parse("Make the  circle GREEN") == Change("recolour", "circle", to="green")
    assert parse("move the red star to the centre") == Change("move", "star", "red", "in the centre")
    with pytest.raises(UsageError, match="'paint it black' is no instruction for scenes: write for example 'make the"):
        meaning("paint it black")


def test_each_picture_after_follows_its_instruction_and_none_before_does() -> None:
    assert all(failure(b, c, a) is None for b, c, a in ROWS)
    assert all(failure(b, c, b) is not None for b, c, _ in ROWS)


def test_what_an_edit_makes_training_may_show() -> None:
    assert not any(pairs & set(HELD_OUT) for pairs in kinds(EDITS.after))
    assert not any((EDITS.after.count < 1) | (EDITS.after.count > MOST))
    composed = draw(np.arange(200), held_out=True)
    assert all(pairs & set(HELD_OUT) for pairs in kinds(composed.before))


def test_objects_stay_apart_and_in_reading_order() -> None:
    for i in range(N):
        centre, radius = (a[i, : EDITS.after.count[i]] for a in (EDITS.after.centre, EDITS.after.radius))
        assert (np.diff(centre.sum(-1)) >= 0).all()
        for k in range(len(radius)):
            for j in range(k):
                assert np.hypot(*(centre[k] - centre[j])) > radius[k] + radius[j]


@pytest.mark.parametrize("side", [32, 64])
def test_the_reader_sees_what_was_done(side: int) -> None:
    """As often as it sees a true caption: of a thousand pictures it refuses five at most."""
    some = slice(0, 300)
    after = read(noisy(render(EDITS.after, side)[some]))
    faults = Counter(failure(b, c, a) for (b, c, _), a in zip(ROWS[some], after, strict=True))
    assert faults[None] >= 297, faults


def test_what_an_instruction_does_not_name_is_untouched() -> None:
    before, after = render(EDITS.before, 32), render(EDITS.after, 32)
    for i, (b, c, a) in enumerate(ROWS):
        where = untouched(b, c, a, 32)
        assert np.array_equal(before[i][:, where], after[i][:, where])
        assert where.mean() > (0.3 if c.kind != "ground" else 0)
        spoilt = after[i].copy()
        spoilt[:, where] ^= 8
        assert 29 < psnr(before[i], spoilt, where) < 31


def first(kind: str, edits: Edits = EDITS) -> int:
    return next(i for i, c in enumerate(edits.changes) if c.kind == kind and edits.before.count[i] > 1)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("recolour", "object"),
        ("reshape", "object"),
        ("move", "place"),
        ("add", "count"),
        ("remove", "count"),
        ("ground", "background"),
    ],
)
def test_another_edit_of_the_same_picture_is_no_success(kind: str, fault: str) -> None:
    i = first(kind)
    b, c, a = ROWS[i]
    wrong = {
        "recolour": COLOURS,
        "reshape": SHAPES,
        "move": ("at the top", "at the bottom"),
        "ground": ("grey", "black"),
    }
    if kind in ("add", "remove"):
        assert failure(b, c, b) == fault
        return
    to = next(w for w in wrong[kind] if w != c.to and (c.colour, w) not in kinds(EDITS.before)[i])
    assert failure(b, replace(c, to=to), a) == fault


def test_what_moves_unasked_is_found() -> None:
    i = first("recolour")
    b, c, a = ROWS[i]
    k = 0 if a.objects[0].colour != c.to else 1
    moved = replace(a.objects[k], centre=(a.objects[k].centre[0] + 0.1, a.objects[k].centre[1]))
    objects = tuple(moved if j == k else o for j, o in enumerate(a.objects))
    assert failure(b, c, replace(a, objects=objects)) == "moved"


def test_an_instruction_that_means_nothing_in_the_picture() -> None:
    b = BEFORE[int(np.flatnonzero(EDITS.before.count == 1)[0])]
    (only,) = b.objects
    absent = next(s for s in SHAPES if s != only.shape)
    with pytest.raises(UsageError, match=f"'remove the {absent}': the picture shows 0 such objects and not one"):
        target(b, Change("remove", absent))
