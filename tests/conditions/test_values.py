"""Laws of every condition value."""

import pytest
import torch

from lodestar.conditions import Condition, Label, LabelSchema, Text, TextSchema, Tokenizer, coins, drop
from lodestar.errors import UsageError

TOKENIZER = Tokenizer.train(["a red circle", "a blue square above a green star"], 300)
LABELS = LabelSchema(("cat", "dog", "owl"))
TEXTS = TextSchema(length=8, tokenizer=TOKENIZER)


def same(a: Condition, b: Condition) -> bool:
    pairs = zip(vars(a).values(), vars(b).values(), strict=True)
    return all(torch.equal(p, q) if isinstance(p, torch.Tensor) else p == q for p, q in pairs)


@pytest.fixture(params=["label", "text", "learnt text"])
def case(request):
    if request.param == "label":
        return LABELS, LABELS.encode(["dog", None, 0, "owl"])
    schema = TEXTS if request.param == "text" else TextSchema(length=8, null="learnt", tokenizer=TOKENIZER)
    return schema, schema.encode(["a red circle", None, "a star", "a green star"])


def test_rows_and_cat_are_inverse(case):
    _, condition = case
    assert len(condition) == 4
    parts = [condition[:1], condition[torch.tensor([1, 2])], condition[torch.tensor([False, False, False, True])]]
    assert [len(p) for p in parts] == [1, 2, 1]
    assert same(type(condition).cat(parts), condition)


def test_null_is_what_the_schema_encodes_for_none(case):
    schema, condition = case
    assert same(condition.null(), schema.encode([None] * 4))
    assert not condition.null().present.any()


def test_present_says_which_rows_are_not_the_null(case):
    assert case[1].present.tolist() == [True, False, True, True]


def test_without_changes_the_masked_rows_alone(case):
    _, condition = case
    mask = torch.tensor([True, False, False, True])
    dropped = condition.without(mask)
    assert dropped.present.tolist() == [False, False, True, False]
    assert same(dropped[~mask], condition[~mask])
    assert same(dropped[mask], condition.null()[mask])
    assert condition.present.tolist() == [True, False, True, True], "the original must not change"


def test_drop_is_never_at_0_and_always_at_1(case):
    _, condition = case
    assert same(drop(condition, 0.0), condition)
    assert same(drop(condition, 1.0), condition.null())


def test_to_keeps_the_values(case):
    assert same(case[1].to("cpu"), case[1])


def test_coins_are_per_sample_and_reproducible():
    thrown = coins(20_000, 0.1, torch.Generator().manual_seed(0))
    assert thrown.dtype == torch.bool
    assert abs(thrown.float().mean().item() - 0.1) < 0.01
    assert torch.equal(thrown, coins(20_000, 0.1, torch.Generator().manual_seed(0)))
    assert not torch.equal(thrown, coins(20_000, 0.1, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_a_probability_out_of_range_is_refused(p):
    with pytest.raises(UsageError, match=r"\[0, 1\]"):
        coins(4, p)


def test_the_null_of_a_text_keeps_one_token():
    null = Text(torch.tensor([[1, 9, 8]]), torch.tensor([[True, True, False]]), null_id=2).null()
    assert null.ids.tolist() == [[2, 0, 0]]
    assert null.mask.tolist() == [[True, False, False]]


def test_texts_of_different_schemas_do_not_stack():
    with pytest.raises(UsageError, match="do not stack"):
        Text.cat([TEXTS.encode(["a"]), TextSchema(length=4, tokenizer=TOKENIZER).encode(["a"])])


def test_a_label_null_is_minus_one():
    assert Label(torch.tensor([2, 0])).null().index.tolist() == [-1, -1]
