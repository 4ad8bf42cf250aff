"""Other prompts by name: what rules of several conditions read in `lodestar.sample`."""

import warnings

import pytest
import torch

from lodestar import UsageError
from lodestar.conditions import ImageSchema, JointSchema, LabelSchema
from lodestar.request import UnseenWords
from tiny import TEXT, tiny

MODEL = tiny()
RED, STAR, SQUARE = "a red circle", "a green star", "a blue square"
COMPOSE = 'compose(cfg(3), name="b", weight=2)'


def same(a, b):
    return bool(((a.images.int() - b.images.int()).abs() <= 1).all())


def test_a_rule_reads_the_prompt_of_its_name():
    result = MODEL.sample(RED, n=2, guidance=COMPOSE, named={"b": STAR})
    assert result.evaluations == 2 * 3 * 3
    assert not same(result, MODEL.sample(RED, n=2, guidance="cfg(3)"))
    assert not same(result, MODEL.sample(RED, n=2, guidance=COMPOSE, named={"b": SQUARE}))


def test_it_is_in_the_recipe_which_repeats_it():
    first = MODEL.sample([RED, SQUARE], guidance=COMPOSE, named={"b": STAR})
    assert first.recipe["named"] == {"b": STAR}
    told = {k: first.recipe[k] for k in ("guidance", "named", "steps", "sampler")}
    assert torch.equal(MODEL.sample(first.recipe["prompts"], **told).images, first.images)
    assert "named" not in MODEL.sample(RED).recipe


def test_each_prompt_may_have_one_of_its_own():
    """In chunks that end between two samples of a prompt, too."""
    asked = {"guidance": COMPOSE, "n": 2}
    whole = MODEL.sample([RED, SQUARE], named={"b": [STAR, RED]}, batch=3, **asked)
    for i, (prompt, other) in enumerate(((RED, STAR), (SQUARE, RED))):
        alone = MODEL.sample(prompt, named={"b": other}, **asked)
        assert ((whole.images[2 * i : 2 * i + 2].int() - alone.images.int()).abs() <= 1).all()


def test_a_negative_prompt_is_one_of_them():
    asked = {"guidance": "perpneg(cfg(3), weight=2)"}
    assert same(MODEL.sample(RED, negative=STAR, **asked), MODEL.sample(RED, named={"negative": STAR}, **asked))


def test_without_a_prompt_another_one_is_enough():
    result = MODEL.sample(None, guidance='compose(cfg(1), name="b", weight=3)', named={"b": RED})
    assert same(result, MODEL.sample(RED, guidance="cfg(3)"))


def test_of_a_joint_model_it_stands_in_for_the_parts_that_it_names():
    model = tiny(JointSchema({"text": TEXT, "image": ImageSchema((1, 4, 4))}, 0.1))
    prompt = {"text": RED, "image": torch.full((1, 4, 4), 0.5)}
    some, whole = (
        model.sample(prompt, guidance="under(cfg(3), name=b)", named={"b": b})
        for b in ({"text": STAR}, {**prompt, "text": STAR})
    )
    assert same(some, whole)
    assert same(some, model.sample({**prompt, "text": STAR}, guidance="cfg(3)"))


def test_classes_without_a_null_are_guided_away_from_their_sum():
    names = ("cat", "dog", "owl")
    model = tiny(LabelSchema(names, drop=0.0))
    asked = {"sampler": "ancestral", "n": 2, "named": {name: name for name in names}}
    result = model.sample("dog", guidance='classes(3, names=["cat", "dog", "owl"])', **asked)
    assert result.evaluations == 2 * 3 * (1 + 3)
    with pytest.raises(UsageError, match="never saw its null"):
        model.sample("dog", guidance="cfg(3)")


def test_words_that_are_new_are_said_once_for_all():
    with pytest.warns(UnseenWords, match="training: owl, dog$"):
        MODEL.sample("owl", guidance=COMPOSE, named={"b": "dog"})


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "needs a prompt named 'b': give one (--named b=PROMPT, named={'b': ...})"),
        (
            {"named": {"b": STAR, "c": STAR}},
            "reads the prompt named 'c' (--named c=PROMPT, named={'c': ...}) at no step",
        ),
        ({"named": {"b": [STAR, RED, RED]}}, "'b' has 3 prompts for 2: give one, or one for each prompt"),
        ({"named": {"b": []}}, "there are no prompts"),
        ({"named": {"b": " "}}, "the prompt named 'b' is empty"),
        ({"named": {"b": 3}}, "a prompt is a text"),
        ({"named": {"b": STAR, "null": STAR}}, "no prompt is named 'null'"),
        ({"named": {"b": STAR, "negative": RED}, "negative": RED}, "two prompts are named 'negative'"),
    ],
    ids=str,
)
def test_mistakes_are_named_in_one_line(asked, says):
    with pytest.raises(UsageError) as caught:
        MODEL.sample([RED, STAR], guidance=COMPOSE, **asked)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_without_effect_is_said():
    with pytest.warns(
        UserWarning, match=r"leaves the prompt named 'b' \(--named b=PROMPT, named=\{'b': ...\}\) without effect"
    ):
        MODEL.sample(RED, guidance='compose(cfg(3), name="b", weight=0)', named={"b": STAR})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MODEL.sample(RED, n=2, guidance='compose(cfg(3), name="b", weight=[0, 1])', named={"b": STAR})
