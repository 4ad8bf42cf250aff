import pytest
import torch

from lodestar.conditions import Joint, Label, Vector
from lodestar.errors import UsageError
from lodestar.guidance import Ask, guide
from lodestar.guidance.contexts import Conditions

NULL, NEGATIVE = Ask(drop=True), Ask(replace="negative")


def test_the_null_is_the_conditions_own(condition):
    conditions = Conditions(condition, {})
    assert conditions.of(Ask(), 4).value.tolist() == [1, 2, 3, 4]
    assert conditions.of(NULL, 4).value.tolist() == [0, 0, 0, 0]


def test_a_named_null_comes_before_the_conditions_own(condition):
    named = Conditions(condition, {"null": condition[torch.tensor([0])]})
    assert named.of(NULL, 4).value.tolist() == [1, 1, 1, 1]


def test_a_tensor_needs_its_null_by_name():
    tensor = torch.tensor([1.0, 2.0])
    with pytest.raises(UsageError, match=r"pass named=\{'null': ...\} to guide"):
        Conditions(tensor, {}).of(NULL, 2)
    assert Conditions(tensor, {"null": torch.zeros(1)}).of(NULL, 2).tolist() == [0, 0]


def test_to_drop_what_says_nothing_is_to_ask_nothing_special(condition):
    assert Conditions(None, {}).key(NULL) == Ask()
    assert Conditions(condition.null(), {}).key(NULL) == Ask()
    assert Conditions(condition, {}).key(NULL) == NULL
    assert Conditions(condition.null(), {"null": condition}).key(NULL) == NULL


def test_a_missing_name_says_how_to_pass_it(condition):
    with pytest.raises(UsageError, match=r"needs a condition named 'negative': pass negative=... "):
        Conditions(condition, {}).of(NEGATIVE, 4)


@pytest.mark.parametrize("n", [2, 3])
def test_a_condition_of_the_wrong_length_is_refused(condition, n):
    with pytest.raises(UsageError, match=f"the condition has {n} rows for a batch of 4"):
        Conditions(condition[:n], {}).of(Ask(), 4)
    with pytest.raises(UsageError, match=f"negative has {n} rows for a batch of 4"):
        Conditions(condition, {"negative": condition[:n]}).of(NEGATIVE, 4)


def test_a_negative_of_nothing_is_refused(net, x, at):
    with pytest.raises(UsageError, match="some of the conditions are None"):
        guide("negative(4)", net, None, kind="x0", named={"negative": torch.ones(1)})(x, at(1.0))


JOINT = Joint({"text": Label(torch.tensor([1, 2])), "image": Label(torch.tensor([5, 6]))})
CASCADE = Joint(JOINT.parts, always=frozenset({"image"}))


def said(conditions, ask):
    return {name: part.index.tolist() for name, part in conditions.of(ask, 2).parts.items()}


def test_parts_are_dropped_by_name():
    conditions = Conditions(JOINT, {})
    assert said(conditions, Ask(drop=frozenset({"text"}))) == {"text": [-1, -1], "image": [5, 6]}
    assert said(conditions, NULL) == {"text": [-1, -1], "image": [-1, -1]}


def test_what_is_always_on_is_not_dropped():
    null = Joint({"text": Label(torch.tensor([8])), "image": Label(torch.tensor([9]))})
    assert said(Conditions(CASCADE, {}), NULL) == {"text": [-1, -1], "image": [5, 6]}
    assert said(Conditions(CASCADE, {"null": null}), NULL) == {"text": [8, 8], "image": [5, 6]}
    with pytest.raises(UsageError, match="part 'image' of the condition is always on"):
        Conditions(CASCADE, {}).of(Ask(drop=frozenset({"image"})), 2)


def test_to_drop_all_is_to_drop_every_part_that_can_be():
    assert Conditions(JOINT, {}).key(NULL) == Conditions(JOINT, {}).key(Ask(drop=frozenset({"text", "image"})))
    assert Conditions(CASCADE, {}).key(NULL) == Ask(drop=frozenset({"text"}))
    assert Conditions(CASCADE.null(), {}).key(NULL) == Ask()


def test_a_named_condition_takes_the_place_of_the_parts_that_it_has():
    negative = Joint({"text": Label(torch.tensor([7]))})
    conditions = Conditions(CASCADE, {"negative": negative})
    assert said(conditions, NEGATIVE) == {"text": [7, 7], "image": [5, 6]}
    both = Conditions(JOINT, {"negative": negative})
    assert said(both, Ask(drop=frozenset({"image"}), replace="negative")) == {"text": [7, 7], "image": [-1, -1]}


@pytest.mark.parametrize(
    ("condition", "negative", "message"),
    [
        (Label(torch.tensor([1, 2])), torch.zeros(2), "named 'negative' is a Tensor and yours a Label"),
        (JOINT, Label(torch.tensor([1])), "named 'negative' is a Label and yours a Joint"),
        (JOINT, Joint({"txt": Label(torch.tensor([1]))}), "unknown part 'txt': did you mean 'text'"),
        (JOINT, Joint({"text": Vector(torch.zeros(1, 2))}), "different kinds do not stack: Label and Vector"),
        (torch.zeros(2, 3), torch.zeros(2, 4), r"different shapes do not stack: rows are \[\(3,\), \(4,\)\]"),
        (Vector(torch.zeros(2, 3)), Vector(torch.zeros(1, 4)), "different schemas do not stack"),
    ],
)
@pytest.mark.parametrize("scale", [0, 4])  # at 0 the user's own is not even read
def test_a_named_condition_of_another_schema_is_refused(net, x, at, condition, negative, message, scale):
    with pytest.raises(UsageError, match=message):
        guide(f"negative({scale})", net, condition, kind="x0", named={"negative": negative})(x[:2], at(1.0))


def test_a_condition_without_parts_has_none_to_drop(condition):
    with pytest.raises(UsageError, match="this guidance drops image, and the condition has no parts: use a Joint"):
        Conditions(condition, {}).key(Ask(drop=frozenset({"image"})))
    with pytest.raises(UsageError, match="unknown part 'imgae': did you mean 'image'"):
        Conditions(JOINT, {}).key(Ask(drop=frozenset({"imgae"})))


def test_what_was_encoded_without_derivatives_is_encoded_again_where_they_are_wanted(x, at):
    encoder = torch.nn.Linear(1, 1)

    class Net:
        encode = staticmethod(encoder)

        def __call__(self, x, level, c):
            return x + c.reshape(-1, 1, 1)

    g = guide("cfg(2)", Net(), torch.ones(4, 1), kind="x0", named={"null": torch.zeros(1, 1)})
    with torch.no_grad():
        before = g(x, at(1.0))
    after = g(x, at(1.0))
    assert torch.equal(before.x0, after.x0)
    after.x0.sum().backward()
    assert encoder.weight.grad is not None
