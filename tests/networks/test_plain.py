"""The plain encoder: its features, what it is deaf to, and what it is refused with."""

from dataclasses import replace

import pytest
import torch

from judges import IMAGE
from lodestar.conditions import LabelSchema
from lodestar.core import Level
from lodestar.errors import UsageError
from lodestar.networks.classifier import Classifier, ClassifierConfig
from lodestar.networks.encoder import ImageEncoder, encoder
from lodestar.networks.plain import PlainEncoder
from lodestar.process import Flow

PLAIN = replace(IMAGE, channels=(8, 16, 16), transformers=(0, 0, 0), clean=True, plain=True)
CLEAN = Flow().level(torch.tensor(0.0, dtype=torch.float64))


def plain(**changes: object) -> PlainEncoder:
    torch.manual_seed(0)
    found = encoder(replace(PLAIN, **changes))
    assert isinstance(found, PlainEncoder)
    return found.eval()


def pictures(n: int, side: int = 8) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("patch", [1, 2])
def test_features_of_pictures_of_any_size(patch):
    network = plain(patch=patch)
    for side in (8, 16, 24):
        assert network(pictures(2, side), CLEAN).shape == (2, network.features) == (2, 16)
    with pytest.raises(UsageError, match=f"multiple of {4 * patch}, got"):
        network(pictures(2, 9), CLEAN)


def test_no_picture_sees_another_once_it_is_trained():
    network = plain().train()
    network(pictures(16), CLEAN)
    network.eval()
    whole = network(pictures(3), CLEAN)
    assert torch.allclose(network(pictures(3)[1:2], CLEAN)[0], whole[1], atol=1e-5)


def test_it_is_deaf_to_the_level_and_reads_pictures_at_unit_variance():
    network, one = plain(), Level(*torch.tensor([0.6, 0.8, 0.0, 0.0], dtype=torch.float64))
    assert torch.allclose(network(pictures(2), one), network(pictures(2), CLEAN), atol=1e-6)
    twice = Level(*torch.tensor([2.0, 0.0, 0.0, 0.0], dtype=torch.float64))
    assert torch.allclose(network(2 * pictures(2), twice), network(pictures(2), CLEAN), atol=1e-6)


def test_a_classifier_is_made_of_it():
    network = Classifier(ClassifierConfig(PLAIN), LabelSchema(("cat", "dog"), drop=0.0)).eval()
    assert isinstance(network.image, PlainEncoder)
    assert not isinstance(network.image, ImageEncoder)
    assert network.logits(network.image(pictures(3), CLEAN))[0].shape == (3, 2)


@pytest.mark.parametrize("change", [{"clean": False}, {"transformers": (0, 0, 1)}])
def test_what_it_cannot_have_is_refused(change):
    with pytest.raises(UsageError, match="a plain encoder is clean and has no transformers"):
        replace(PLAIN, **change)
