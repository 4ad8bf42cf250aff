"""Schemas: values in, conditions out; JSON both ways; mistakes named."""

import json
import warnings

import pytest

from lodestar.conditions import LabelSchema, TextSchema, Tokenizer, guidable, schema_from_json, schema_to_json
from lodestar.errors import UsageError

TOKENIZER = Tokenizer.train(["a red circle", "a blue square"], 300)


def test_classes_by_name_number_and_none():
    assert LabelSchema(("cat", "dog")).encode(["dog", 0, None]).index.tolist() == [1, 0, -1]


def test_a_number_as_text_is_that_class_unless_a_class_is_called_so():
    assert LabelSchema(("cat", "dog")).encode(["1", "0"]).index.tolist() == [1, 0]
    assert LabelSchema(("7", "1", "0")).encode(["1", "0", "2", 1]).index.tolist() == [1, 2, 2, 1]
    with pytest.raises(UsageError, match="from 0 to 1, got '2'"):
        LabelSchema(("cat", "dog")).encode(["2"])


def test_an_unknown_class_gets_the_nearest_name():
    with pytest.raises(UsageError, match="unknown class 'dgo': did you mean 'dog'"):
        LabelSchema(("cat", "dog")).encode(["dgo"])


@pytest.mark.parametrize("value", [2, -1, 1.5])
def test_a_class_number_out_of_range_is_refused(value):
    with pytest.raises(UsageError, match="from 0 to 1"):
        LabelSchema(("cat", "dog")).encode([value])


def test_the_empty_text_is_the_null_only_where_the_schema_says_so():
    assert TextSchema(8, "empty", tokenizer=TOKENIZER).encode(["", None, "a"]).present.tolist() == [False, False, True]
    assert TextSchema(8, "learnt", tokenizer=TOKENIZER).encode(["", None, "a"]).present.tolist() == [True, False, True]


def test_a_text_has_a_fixed_length_and_a_mask():
    text = TextSchema(8, tokenizer=TOKENIZER).encode(["a red circle", "a"])
    assert text.ids.shape == text.mask.shape == (2, 8)
    assert text.mask.sum(1).tolist() == [4, 2]
    assert (text.ids[~text.mask] == 0).all()


def test_a_long_text_is_cut_with_a_warning_and_a_short_one_is_not():
    schema = TextSchema(4, tokenizer=TOKENIZER)
    with pytest.warns(UserWarning, match="more than 4 tokens"):
        assert schema.encode(["a red circle a red circle"]).mask.all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schema.encode(["a red circle"])


def test_a_text_schema_without_a_tokenizer_says_so():
    with pytest.raises(UsageError, match="no tokenizer"):
        TextSchema().encode(["a"])


@pytest.mark.parametrize(
    "schema", [None, LabelSchema(("a", "b"), "zeros", 0.2), TextSchema(16, "learnt", 0.0, TOKENIZER)], ids=repr
)
def test_json_round_trip(schema):
    data = json.loads(json.dumps(schema_to_json(schema)))
    assert schema_from_json(data, TOKENIZER) == schema


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "txt"}, "did you mean 'text'"),
        ({"kind": "label"}, "classes"),
        ({"kind": "text", "langth": 3}, "langth"),
        ({"kind": "text", "length": "x"}, "damaged schema"),
        ({"kind": "text", "null": "learned"}, "did you mean 'learnt'"),
        ({"kind": "label", "classes": ["a", "a"]}, "different names"),
        ({}, "kind"),
        ([1], "kind"),
    ],
)
def test_a_damaged_schema_is_named(data, says):
    with pytest.raises(UsageError, match=says):
        schema_from_json(data)


@pytest.mark.parametrize("p", [-0.1, 1.01, float("nan")])
def test_a_drop_rate_is_a_probability(p):
    with pytest.raises(UsageError, match=r"\[0, 1\]"):
        TextSchema(drop=p)


def test_only_a_dropped_condition_can_be_guided():
    assert guidable(TextSchema(drop=0.1))
    assert guidable(LabelSchema(("a",), drop=1.0))
    assert not guidable(TextSchema(drop=0.0))
    assert not guidable(None)
