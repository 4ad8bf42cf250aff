"""Schemas: values in, conditions out; JSON both ways; mistakes named."""

import json
import warnings

import pytest

from lodestar.conditions import (
    DropRamp,
    ImageSchema,
    JointSchema,
    LabelSchema,
    TextSchema,
    Tokenizer,
    VectorSchema,
    guidable,
    schema_from_json,
    schema_to_json,
    tokenizer_in,
)
from lodestar.errors import UsageError

TOKENIZER = Tokenizer.train(["a red circle", "a blue square"], 300)
PARTS = {"text": TextSchema(8, tokenizer=TOKENIZER), "image": ImageSchema((3, 4, 4))}
SCHEMAS = [
    None,
    LabelSchema(("a", "b"), "zeros", 0.2),
    LabelSchema(("a", "b"), drop=DropRamp(0.0, 0.3, (0.1, 2.0))),
    TextSchema(16, "learnt", 0.0, TOKENIZER),
    ImageSchema((1, 8, 6), drop=0.05),
    VectorSchema(5, "learnt", DropRamp()),
    JointSchema(PARTS),
    JointSchema(PARTS, {"text": 0.05, "image": DropRamp(0.0, 0.05), "text+image": 0.05}),
    JointSchema({**PARTS, "pose": VectorSchema(2)}, {"text": 0.1}),
]


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


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: getattr(s, "kind", "none"))
def test_json_round_trip(schema):
    data = json.loads(json.dumps(schema_to_json(schema)))
    back = schema_from_json(data, TOKENIZER)
    assert back == schema
    assert hash(back) == hash(schema)
    assert schema_to_json(back) == data


def test_the_parts_of_a_joint_schema_keep_their_order():
    """A network's weights are by it."""
    schema = JointSchema(dict(reversed(PARTS.items())))
    assert list(schema_from_json(schema_to_json(schema), TOKENIZER).parts) == ["image", "text"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "txt"}, "did you mean 'text'"),
        ({"kind": "label"}, "classes"),
        ({"kind": "text", "langth": 3}, "langth"),
        ({"kind": "text", "length": "x"}, "damaged schema"),
        ({"kind": "text", "null": "learned"}, "did you mean 'learnt'"),
        ({"kind": "label", "classes": ["a", "a"]}, "different names"),
        ({"kind": "text", "drop": {"low": 0.1, "high": 0.2}}, "at must be two rising values"),
        ({"kind": "text", "drop": {"loww": 0.1, "at": [1, 2]}}, "damaged schema: .*loww"),
        ({"kind": "image", "shape": [3, 0, 4]}, "channels, height and width"),
        ({"kind": "image", "shape": [3, 4, 4], "null": "learnt"}, "there are zeros"),
        ({"kind": "vector", "dim": 0}, "at least 1 number"),
        ({"kind": "joint"}, "damaged schema: .*parts"),
        ({"kind": "joint", "parts": [1]}, "damaged schema"),
        ({"kind": "joint", "parts": {"a": {"kind": "vector"}}}, "damaged schema: .*dim"),
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


def test_guidable_by_parts_is_what_training_dropped_together():
    schema = JointSchema(PARTS, {"text": 0.05, "text+image": 0.05})
    assert guidable(schema)
    assert guidable(schema, frozenset({"text"}))
    assert not guidable(schema, frozenset({"image"}))
    assert not guidable(JointSchema(PARTS, {"text": 0.1, "image": 0.1}))  # never both
    assert guidable(JointSchema(PARTS, {"text": 0.1}))  # the image is always on
    assert not guidable(JointSchema(PARTS, 0.0))
    assert guidable(TextSchema(drop=DropRamp(0.0, 0.1)))
    assert not guidable(TextSchema(drop=DropRamp(0.0, 0.0)))


def test_the_texts_of_a_joint_schema_share_a_tokenizer():
    assert tokenizer_in(JointSchema(PARTS)) is TOKENIZER
    other = Tokenizer.train(["a green star"], 300)
    with pytest.raises(UsageError, match="share one tokenizer"):
        JointSchema({"one": TextSchema(tokenizer=TOKENIZER), "two": TextSchema(tokenizer=other)})


@pytest.mark.parametrize(
    ("parts", "drop", "message"),
    [
        ({}, {}, "at least one part"),
        ({"a+b": VectorSchema(2)}, {}, r"without a '\+'"),
        ({"joint": JointSchema({"a": VectorSchema(2)})}, {}, "a part is a label, text, image or vector"),
        (None, {"txt": 0.1}, "did you mean 'text'"),
        (None, {"text+image": 0.1, "image+text": 0.1}, "every set of parts in its drop table once"),
        (None, {"text": 0.6, "image": DropRamp(0.1, 0.5)}, "come to 1.1 together"),
        (None, {"text": -0.1}, r"\[0, 1\]"),
    ],
)
def test_a_joint_schema_that_cannot_be_is_refused(parts, drop, message):
    with pytest.raises(UsageError, match=message):
        JointSchema(PARTS if parts is None else parts, drop)
