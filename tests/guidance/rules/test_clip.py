"""CLIP guidance: against GLIDE's own gradient, and towards one text and away from another."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

from lodestar import gradients
from lodestar.core import Level, Step
from lodestar.errors import UsageError
from lodestar.guidance import guide
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine

ORACLE = GaussianMixture.random(12, 2, torch.Generator().manual_seed(0))
B, D = 3, 5
X, MATRIX = (
    torch.randn(*s, generator=torch.Generator().manual_seed(1), dtype=torch.float64) for s in ((B, 3, 2, 2), (12, D))
)
RED, CIRCLE = torch.randn(2, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
AT = Step(Cosine().level(torch.tensor(0.4)))


def image(x: Tensor, level: Level) -> Tensor:
    """Features that depend on the noise."""
    return torch.tanh(x.flatten(1) @ MATRIX * level.alpha)


def on(rule: str, density):
    return guide(rule, ORACLE, gradients={"clip": density})


def glides(strength: float) -> Tensor:
    """grad_scale times the gradient of exp(logit_scale) (z_text z_image).sum()."""
    x = X.clone().requires_grad_()
    features = image(x, AT.level)
    nearness = (RED / RED.norm() * features / features.norm(dim=-1, keepdim=True)).sum()
    return strength * torch.autograd.grad(math.exp(math.log(100)) * nearness, x)[0]


@pytest.mark.parametrize("strength", [3.0, 0.5])
def test_glides_gradient(strength):
    found = on(f"clip(cfg(1), {strength})", gradients.similarity(image, RED))(X, AT)
    assert torch.allclose(found.eps, ORACLE(X, AT.level).eps - AT.level.sigma * glides(strength))


def test_the_authors_strength_is_the_default():
    density = gradients.similarity(image, RED)
    assert torch.equal(on("clip(cfg(1))", density)(X, AT).eps, on("clip(cfg(1), 3)", density)(X, AT).eps)


def test_more_red_is_the_odds_of_two_texts():
    """log p(red circle | x) - log p(circle | x), by the softmax that CLIP is trained with."""
    texts = torch.stack([normalize(RED, dim=0), normalize(CIRCLE, dim=0)])
    log_p = log_softmax(20 * normalize(image(X, AT.level), dim=1) @ texts.T, 1)
    found = gradients.similarity(image, RED, away=CIRCLE, scale=20.0)(X, AT.level)
    assert torch.allclose(found, log_p[:, 0] - log_p[:, 1])


def test_the_length_of_a_feature_does_not_count():
    a, b = (gradients.similarity(image, k * RED, away=k * CIRCLE)(X, AT.level) for k in (1, 7))
    assert torch.allclose(a, b)


def test_it_comes_nearer_to_its_text_the_more_the_stronger():
    plain = gradients.similarity(image, RED, scale=1.0)
    found = [plain(on(f"clip(cfg(1), {s})", plain)(X, AT).x0, AT.level) for s in (0, 0.1, 0.3)]
    assert (found[0] < found[1]).all()
    assert (found[1] < found[2]).all()


def test_it_goes_with_a_classifier():
    density = gradients.similarity(image, RED)
    both = guide("clip(classifier(cfg(1), 2), 1)", ORACLE, gradients={"clip": density, "classifier": density})(X, AT)
    assert torch.allclose(both.eps, on("clip(cfg(1), 3)", density)(X, AT).eps)


def test_without_a_density_it_says_how_to_pass_one():
    with pytest.raises(UsageError, match="needs a gradient named 'clip': pass gradients="):
        guide("clip(cfg(1))", ORACLE)(X, AT)


def test_what_is_to_grow_is_not_gone_down():
    with pytest.raises(UsageError, match="goes down the log density 'clip'"):
        on('energy(cfg(1), "clip")', gradients.similarity(image, RED))(X, AT)
    on('energy(cfg(1), "clip")', gradients.minus(gradients.similarity(image, RED)))(X, AT)
