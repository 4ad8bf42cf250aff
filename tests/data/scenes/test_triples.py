"""Edits of scenes as a source, and test triples: right, repeatable, and apart from one another."""

from itertools import islice

import numpy as np
import pytest
import torch

from lodestar.data import shapes
from lodestar.data.scenes.changes import failure, meaning
from lodestar.data.scenes.reader import read, truth
from lodestar.data.scenes.source import SEEN, TRAINING, VALIDATION, ScenesSource
from lodestar.data.scenes.triples import EditsSource, triples
from lodestar.data.scenes.world import COLOURS, HELD_OUT, SHAPES
from lodestar.errors import UsageError
from lodestar.model import load

SOURCE = EditsSource(32)


def test_a_batch_holds_pictures_after_and_before_with_what_was_asked():
    batch = next(SOURCE.batches(24, 0))
    before = batch.conditions["image"]
    assert shapes(SOURCE) == {"image": (3, 32, 32)}
    assert before.shape == batch.images.shape == (24, 3, 32, 32)
    assert (before.dtype, batch.images.dtype) == (torch.uint8, torch.uint8)
    rows = zip(read(before.numpy()), batch.texts, read(batch.images.numpy()), strict=True)
    assert [failure(b, meaning(said), a) for b, said, a in rows] == [None] * 24


def test_a_batch_is_a_function_of_seed_and_step():
    whole = list(islice(SOURCE.batches(4, 1), 5))
    [one] = islice(SOURCE.batches(4, 1, start=3), 1)
    assert one.texts == whole[3].texts
    assert torch.equal(one.images, whole[3].images)
    assert torch.equal(one.conditions["image"], whole[3].conditions["image"])
    assert next(SOURCE.batches(4, 2)).texts != whole[0].texts


def test_the_scenes_before_are_those_of_the_same_step():
    """So what a model of scenes was tested on, no model of their edits is trained on."""
    edits, scenes = next(SOURCE.batches(8, 5)), next(ScenesSource(32).batches(8, 5))
    assert torch.equal(edits.conditions["image"], scenes.images)


def test_what_is_trained_on_held_out_and_tested_is_apart():
    drawn = triples(5, start=3)
    assert drawn.before.index.tolist() == [SEEN + i for i in range(3, 8)]
    held = SOURCE.held_out(5)
    assert torch.equal(held.conditions["image"], ScenesSource(32).held_out(5).images)
    assert VALIDATION + 10**6 < SEEN
    assert triples(1, composition=True).before.index.max() + 10**6 < TRAINING


def test_triples_with_a_combination_that_training_never_shows():
    names = list(COLOURS)
    for composition in (False, True):
        before = triples(40, composition).before
        pairs = [
            {(names[before.colour[i, k]], SHAPES[before.shape[i, k]]) for k in range(before.count[i])}
            for i in range(40)
        ]
        assert all(bool(p & set(HELD_OUT)) == composition for p in pairs)
    assert truth(triples(3).after) == truth(triples(40).after)[:3]


def test_instructions_for_a_tokenizer_and_what_the_source_says_of_itself():
    texts = SOURCE.texts(50)
    assert len(texts) == 50
    assert all(meaning(text) for text in texts)
    assert SOURCE.describe()["source"] == "edits"
    assert SOURCE.describe()["held_out_combinations"] == ScenesSource(32).describe()["held_out_combinations"]
    assert np.array_equal(SOURCE.held_out(2).images, SOURCE.held_out(3).images[:2])
    with pytest.raises(UsageError, match="16 to 128 pixels"):
        EditsSource(8)


def test_the_shipped_models_tokenizer_spells_instructions_within_its_length():
    """The numbers of docs/editing.md."""
    schema = load("scenes-32").schema
    lengths = [len(schema.tokenizer.encode(text)) for text in SOURCE.texts(500)]
    assert max(lengths) == 16 < schema.length
    assert 11.2 < np.mean(lengths) < 11.9
