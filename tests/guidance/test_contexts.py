import pytest
import torch

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
