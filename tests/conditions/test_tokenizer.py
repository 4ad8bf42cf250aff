"""The tokenizer: reproducible, spells everything, remembers its words."""

import pytest

from lodestar.conditions import Tokenizer
from lodestar.errors import UsageError

TEXTS = ["a red circle above a blue square", "a green star left of a red circle"] * 3
TOKENIZER = Tokenizer.train(TEXTS, 320)


def test_the_same_texts_give_the_same_tokenizer():
    assert Tokenizer.train(iter(TEXTS), 320) == TOKENIZER


def test_json_round_trip():
    back = Tokenizer.from_json(TOKENIZER.to_json())
    assert back == TOKENIZER
    assert back.encode(TEXTS[0]) == TOKENIZER.encode(TEXTS[0])


def test_frequent_words_are_single_tokens():
    assert len(TOKENIZER.encode("a red circle")) == 4  # with the start
    assert max(TOKENIZER.encode(TEXTS[0])) < TOKENIZER.size <= 320


def test_a_word_is_one_token_wherever_it_stands():
    assert TOKENIZER.encode("red circle")[1:] == TOKENIZER.encode("circle red")[:0:-1]


def test_case_and_spaces_do_not_matter():
    assert TOKENIZER.encode("  A Red\n circle ") == TOKENIZER.encode("a red circle")


@pytest.mark.parametrize("text", ["a red circle", "an owl, or two", "", "красный 紅色"])
def test_what_is_read_can_be_told_again(text):
    assert Tokenizer.from_json(TOKENIZER.to_json()).decode(TOKENIZER.encode(f" {text.upper()} ")) == text


def test_the_empty_text_is_the_start_alone():
    assert TOKENIZER.encode("") == [1]


def test_texts_never_spell_a_special_token():
    assert 2 not in TOKENIZER.encode("<null>")
    assert 1 not in TOKENIZER.encode("<text> <pad>")[1:]


def test_any_text_can_be_spelt_and_different_texts_differ():
    texts = ["красный", "紅色", "🦉", "owl", "a"]
    assert len({tuple(TOKENIZER.encode(t)) for t in texts}) == len(texts)


def test_unseen_words_are_named_once_in_order():
    assert TOKENIZER.unseen("A purple circle, above a PURPLE owl.") == ["purple", "owl"]
    assert TOKENIZER.unseen(TEXTS[0]) == []


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(UsageError, match="at least 259"):
        Tokenizer.train(TEXTS, 100)


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_no_texts_are_refused(texts):
    with pytest.raises(UsageError, match="got none"):
        Tokenizer.train(texts, 300)


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}", "null", '{"format": 1, "words": [], "bpe": {}}', TOKENIZER.to_json()[:500]],
)
def test_a_damaged_file_is_named(text):
    with pytest.raises(UsageError, match="tokenizer of Lodestar"):
        Tokenizer.from_json(text)


def test_another_format_is_refused():
    with pytest.raises(UsageError, match="format 1"):
        Tokenizer.from_json(TOKENIZER.to_json().replace('"format": 1', '"format": 2'))
