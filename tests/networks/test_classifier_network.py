"""The classifier: log probabilities that are some, questions that are not asked, words that classes share."""

from dataclasses import replace

import pytest
import torch

from judges import CLASSIFIER, shaken
from lodestar.conditions import JointSchema, Label, LabelSchema, TextSchema
from lodestar.errors import UsageError
from lodestar.networks.classifier import Classifier, _words
from lodestar.process import Flow
from tiny import LABEL, TEXT

X = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
AT = Flow().level(torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64))
TWO = JointSchema({"animal": LABEL, "colour": LabelSchema(("red", "blue"))})


def test_probabilities_add_up_to_one_and_the_likeliest_is_right():
    network = shaken(Classifier(CLASSIFIER, LABEL))
    columns = [network.log_p(X, AT, torch.full((3, 1), i)) for i in range(3)]
    log_p = torch.cat([p for p, _ in columns], 1)
    assert torch.allclose(log_p.exp().sum(1), torch.ones(3), atol=1e-5)
    assert torch.equal(torch.cat([right for _, right in columns], 1), log_p == log_p.amax(1, keepdim=True))


def test_several_questions_add_up_and_what_is_not_asked_is_left_out():
    network = shaken(Classifier(CLASSIFIER, TWO))
    both, one, other, none = (
        network(X, AT, network.encode(TWO.encode([value] * 3)))
        for value in ({"animal": "dog", "colour": "red"}, {"animal": "dog"}, {"colour": "red"}, None)
    )
    assert torch.allclose(both, one + other)
    assert none.tolist() == [0, 0, 0]
    assert (one < 0).all()


def test_answers_are_in_the_order_of_the_schema():
    network = Classifier(CLASSIFIER, TWO)
    joint = TWO.encode([{"animal": "owl", "colour": "red"}, {"colour": "blue"}])
    turned = replace(joint, parts=dict(reversed(joint.parts.items())))
    assert network.encode(joint).tolist() == network.encode(turned).tolist() == [[2, 0], [-1, 1]]
    with pytest.raises(UsageError, match="is a Label"):
        network.encode(Label(torch.zeros(1, dtype=torch.long)))


def test_a_fresh_one_knows_nothing():
    network = Classifier(CLASSIFIER, LABEL)
    assert torch.allclose(network(X, AT, torch.zeros(3, 1, dtype=torch.long)), torch.tensor(1 / 3).log())


def test_words_are_shared_by_the_classes_that_have_them():
    assert _words(("cat", "dog")).tolist() == [[1, 0], [0, 1]]
    a, b, c = _words(("a red star", "a red ring", "a blue ring"))  # ring, red; what all have is nobody's
    assert a.tolist() == [1, 0, 1, 0, 0]
    assert b.tolist() == [1, 1, 0, 1, 0]
    assert c.tolist() == [0, 1, 0, 0, 1]


@pytest.mark.parametrize("schema", [None, TEXT, JointSchema({"a": LABEL, "b": TextSchema()})])
def test_a_schema_without_classes_is_refused(schema):
    with pytest.raises(UsageError, match="a classifier tells classes apart"):
        Classifier(CLASSIFIER, schema)
