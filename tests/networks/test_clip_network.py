"""The small CLIP: features of length 1, a scale with a limit, padding that is not read."""

from dataclasses import replace

import pytest
import torch

from judges import CLIP, shaken
from lodestar.errors import UsageError
from lodestar.networks.clip import Clip
from lodestar.process import Flow
from tiny import LABEL, TEXT

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
AT = Flow().level(torch.tensor([0.2, 0.8], dtype=torch.float64))
TEXTS = TEXT.encode(["a red circle", "a green star"])


@pytest.fixture(scope="module")
def network() -> Clip:
    return shaken(Clip(CLIP, TEXT))


def test_nearness_is_the_scale_times_a_cosine(network):
    picture, text = network.picture(X, AT), network.encode(TEXTS)
    assert torch.allclose(picture.norm(dim=1), torch.ones(2))
    assert torch.allclose(text.norm(dim=1), torch.ones(2))
    assert torch.allclose(network(X, AT, text), (picture * text).sum(1) / 0.07, rtol=1e-5)


def test_the_scale_has_a_limit():
    network = Clip(CLIP, TEXT)
    with torch.no_grad():
        network.logit_scale.fill_(9.0)
    assert network.scale.item() == 100


def test_padding_is_not_read(network):
    other = replace(TEXTS, ids=TEXTS.ids.where(TEXTS.mask, 5))
    assert torch.allclose(network.encode(TEXTS), network.encode(other), atol=1e-6)
    assert not torch.allclose(network.encode(TEXTS)[0], network.encode(TEXTS)[1], atol=1e-3)


def test_it_is_for_texts_alone():
    with pytest.raises(UsageError, match="give it a text schema"):
        Clip(CLIP, LABEL)
    with pytest.raises(UsageError, match="features must be at least 1"):
        replace(CLIP, features=0)
