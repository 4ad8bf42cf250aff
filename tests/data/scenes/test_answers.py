"""Captions as answers: true of the scenes that they are of, whatever they leave open."""

import numpy as np
import pytest

from lodestar.data.scenes.answers import QUESTIONS, SCHEMA, answers
from lodestar.data.scenes.captions import captions
from lodestar.data.scenes.world import BACKGROUNDS, COLOURS, SHAPES, draw
from lodestar.errors import UsageError

SCENES = draw(np.arange(600))
CAPTIONS = captions(SCENES)


def test_they_are_true_of_the_scene():
    """Objects are numbered in reading order, so that what is asked of number k is of object k."""
    colours, grounds = list(COLOURS), list(BACKGROUNDS)
    for i, caption in enumerate(CAPTIONS):
        said, n = answers(caption), int(SCENES.count[i])
        assert said.pop("objects") == str(n)
        for k in range(n):
            kind = f"{colours[SCENES.colour[i, k]]} {SHAPES[SCENES.shape[i, k]]}"
            assert said.pop(f"{k + 1} of {n}") == kind, caption
            assert said.pop(f"size {k + 1} of {n}", None) in (None, "large" if SCENES.large[i, k] else "small")
        assert said.pop("background", None) in (None, grounds[SCENES.background[i]])
        x, y = SCENES.centre[i, 1] - SCENES.centre[i, 0]
        assert said.pop("relation", None) in (None, "above" if abs(y) > abs(x) else "left of")
        assert ("place" in said) == (" at the " in caption or " in the " in caption)
        said.pop("place", None)
        assert not said


def test_they_are_of_the_schema_and_every_question_is_asked():
    joint = SCHEMA.encode([answers(caption) for caption in CAPTIONS])
    asked = {name: part.index[part.present] for name, part in joint.parts.items()}
    assert all(len(index) > 5 for index in asked.values())
    assert {int(i) for i in asked["objects"]} == {0, 1, 2}
    assert sum(len(classes) for classes in QUESTIONS.values()) == 3 + 6 * 36 + 6 * 2 + 9 + 2 + 3


@pytest.mark.parametrize(
    ("caption", "first", "relation"),
    [
        ("a red circle above a blue square", "red circle", "above"),
        ("a red circle below a blue square", "blue square", "above"),
        ("a red circle left of a blue square", "red circle", "left of"),
        ("a red circle right of a small blue square", "blue square", "left of"),
        ("a red circle and a blue square", "red circle", None),
    ],
)
def test_a_relation_that_is_said_from_the_other_side_is_turned(caption, first, relation):
    said = answers(caption)
    assert (said["1 of 2"], said.get("relation")) == (first, relation)
    assert said.get("size 1 of 2") == ("small" if "small" in caption else None)


def test_what_is_not_said_is_not_answered():
    assert answers("a red circle") == {"objects": "1", "1 of 1": "red circle"}


def test_another_world_is_refused():
    with pytest.raises(UsageError, match="is no caption of scenes"):
        answers("a cat")
