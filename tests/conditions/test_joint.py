"""Joint conditions: parts by name, those that are always on, and what a schema makes of a prompt."""

import copy

import pytest
import torch

from lodestar.conditions import ImageSchema, Joint, JointSchema, Label, LabelSchema, VectorSchema
from lodestar.errors import UsageError

PICTURE = torch.ones(1, 2, 2)
PARTS = {"class": LabelSchema(("cat", "dog")), "low": ImageSchema((1, 2, 2)), "pose": VectorSchema(2)}
CASCADE = JointSchema(PARTS, {"class": 0.1, "class+pose": 0.05})
FULL = {"class": "dog", "low": PICTURE, "pose": [1.0, 2.0]}


def present(joint: Joint) -> dict[str, list[bool]]:
    return {name: part.present.tolist() for name, part in joint.parts.items()}


def test_parts_that_no_entry_drops_are_always_on():
    assert CASCADE.always == {"low"}
    assert JointSchema(PARTS, {"low": 0.0, "class": 0.1}).always == {"low", "pose"}
    assert JointSchema(PARTS, 0.1).always == frozenset()
    assert JointSchema(PARTS, 0.0).always == PARTS.keys()
    assert CASCADE.encode([FULL]).always == {"low"}


def test_a_number_drops_all_parts_at_once():
    assert JointSchema(PARTS, 0.1) == JointSchema(PARTS, {"class+low+pose": 0.1})


def test_the_table_alone_decides():
    assert {part.drop for part in CASCADE.parts.values()} == {0.0}


def test_null_keeps_what_it_is_told_to_and_what_is_always_on():
    joint = CASCADE.encode([FULL, FULL])
    assert present(joint.null()) == {"class": [False] * 2, "low": [True] * 2, "pose": [False] * 2}
    assert present(joint.null(keep=["pose"])) == {"class": [False] * 2, "low": [True] * 2, "pose": [True] * 2}
    assert torch.equal(joint.null().parts["low"].values, joint.parts["low"].values)
    with pytest.raises(UsageError, match="unknown part 'pse': did you mean 'pose'"):
        joint.null(keep=["pse"])


def test_a_row_with_only_what_is_always_on_is_the_null():
    joint = CASCADE.encode([{"low": PICTURE}, {"low": PICTURE, "class": "cat"}])
    assert joint.present.tolist() == [False, True]
    assert not joint.null().present.any()


def test_without_goes_by_part():
    masks = {"class": torch.tensor([True, False]), "pose": torch.tensor([False, True])}
    left = CASCADE.encode([FULL, FULL]).without(masks)
    assert present(left) == {"class": [False, True], "low": [True, True], "pose": [True, False]}
    everything = CASCADE.encode([FULL, FULL]).without(torch.tensor([True, False]))
    assert present(everything) == {"class": [False, True], "low": [True, True], "pose": [False, True]}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"low": PICTURE, "clas": "cat"}, "unknown part 'clas': did you mean 'class'"),
        ({"class": "cat"}, "part 'low' of the condition is always on: every prompt needs one"),
        (None, "part 'low' of the condition is always on"),
        ("cat", r"which part is what \(class, low, pose\), got 'cat'"),
        ({"low": PICTURE, "class": "cow"}, "unknown class 'cow'"),
    ],
)
def test_a_prompt_that_cannot_be_is_refused(prompt, message):
    with pytest.raises(UsageError, match=message):
        CASCADE.encode([FULL, prompt])


def test_parts_have_as_many_rows_each():
    with pytest.raises(UsageError, match=r"as many rows each, got \{'a': 1, 'b': 2\}"):
        Joint({"a": Label(torch.tensor([1])), "b": Label(torch.tensor([1, 2]))})
    with pytest.raises(UsageError, match=r"got \{\}"):
        Joint({})


def test_joints_of_other_parts_do_not_stack():
    one, two = (Joint({name: Label(torch.tensor([1]))}) for name in "ab")
    with pytest.raises(UsageError, match=r"do not stack: their parts are \['a', 'b'\]"):
        Joint.cat([one, two])


def test_a_hand_made_condition_must_know_what_is_always_on():
    by_hand = Joint(CASCADE.encode([FULL]).parts)
    with pytest.raises(UsageError, match="those always on"):
        CASCADE.check(by_hand)
    CASCADE.check(CASCADE.join(by_hand.parts))


def test_a_schema_can_be_copied_and_hashed():
    assert copy.deepcopy(CASCADE) == CASCADE
    assert len({CASCADE, copy.deepcopy(CASCADE)}) == 1


def test_some_parts_take_the_place_of_those_of_another():
    joint = CASCADE.encode([FULL, FULL])
    some = CASCADE.encode_some({"pose": [3.0, 4.0], "class": None})
    assert (present(some), some.always) == ({"pose": [True]}, frozenset())
    taken = joint[torch.tensor([0])].taking(some)
    assert taken.parts["pose"].values.tolist() == [[3.0, 4.0]]
    assert (taken.parts["class"].index.tolist(), taken.always) == ([1], {"low"})
    with pytest.raises(UsageError, match="at least one part"):
        CASCADE.encode_some({})
