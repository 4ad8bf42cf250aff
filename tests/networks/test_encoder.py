"""The image encoder: what it reads of the noise, the same under every process, and finite at both ends."""

from dataclasses import replace

import pytest
import torch

from judges import IMAGE, shaken
from lodestar.core import Level
from lodestar.errors import UsageError
from lodestar.networks.encoder import SIZES, ImageEncoder, ImageEncoderConfig
from lodestar.process import DDPM, EDM, Cosine, Flow

B = 3
X0, EPS = (torch.randn(B, 3, 8, 8, generator=torch.Generator().manual_seed(i)) for i in (0, 1))


def encoder(**changes: object) -> ImageEncoder:
    return shaken(ImageEncoder(replace(IMAGE, **changes)))


def level(*u: float) -> Level:
    return Flow().level(torch.tensor(u, dtype=torch.float64))


@pytest.mark.parametrize("patch", [1, 2])
def test_features_of_pictures_of_any_size(patch):
    network = encoder(patch=patch)
    for side in (8, 16, 24):
        assert network(torch.randn(2, 3, side, side), level(0.5)).shape == (2, network.features)
    with pytest.raises(UsageError, match=f"multiple of {2 * patch}, got"):
        network(torch.randn(2, 3, 9, 9), level(0.5))


def test_the_noise_is_read_per_sample():
    network = encoder()
    mixed = network(X0, level(0.1, 0.5, 0.9))
    for i, u in enumerate((0.1, 0.5, 0.9)):
        assert torch.allclose(network(X0[i : i + 1], level(u))[0], mixed[i], atol=1e-4)
    assert (network(X0, level(0.1)) - network(X0, level(0.2))).abs().max() > 1e-3


def test_a_clean_one_is_deaf_to_the_level():
    network = encoder(clean=True)
    one = Level(*torch.tensor([0.6, 0.8, 0.0, 0.0], dtype=torch.float64))  # of unit variance, so that x is as it is
    assert torch.equal(network(X0, one), network(X0, level(0.0)))
    assert network.level is None


@pytest.mark.parametrize("process", [Cosine(), DDPM(), EDM(), Flow(3.0)], ids=str)
def test_the_same_noise_is_the_same_under_every_process(process):
    network = encoder()
    here = level(0.2, 0.5, 0.7)
    there = process.level(process.u_of(here.lam))

    def features(at: Level) -> torch.Tensor:
        a = at.like(X0)
        return network(a.alpha * X0 + a.sigma * EPS, at)

    assert torch.allclose(there.noise_to_signal, here.noise_to_signal, rtol=1e-2 if process == DDPM() else 1e-6)
    assert torch.allclose(features(there), features(here), rtol=1e-2, atol=2e-2 if process == DDPM() else 1e-4)


@pytest.mark.parametrize("u", [0.0, 1e-6, 1 - 1e-6, 1.0])
def test_it_is_finite_at_both_ends_and_so_is_its_derivative(u):
    x = X0.clone().requires_grad_()
    features = encoder()(x, level(u))
    assert features.isfinite().all()
    slope = torch.autograd.grad(features.square().sum(), x)[0]
    assert slope.isfinite().all()
    assert slope.abs().max() > 0


def test_where_things_are_is_seen():
    """Attention is told the places of pixels, so that the mean over them does not forget who lies where."""
    network, x = encoder(), torch.zeros(2, 3, 16, 16)
    x[0, :, 2:6, 4:8] = 1
    x[1, :, 10:14, 8:12] = 1
    a, b = network(x, level(0.0, 0.0))
    assert (a - b).abs().max() > 1e-3


def test_sizes_grow():
    counts = [sum(p.numel() for p in ImageEncoder(size).parameters()) for size in SIZES.values()]
    assert list(SIZES) == ["small", "medium", "large"]
    assert counts[0] < counts[1] / 1.5
    assert counts[1] < counts[2] / 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"channels": (8,)}, "one for each level"),
        ({"blocks": 0}, "at least 1"),
        ({"channels": (8, 20)}, "20 channels with attention do not divide into heads of 8"),
    ],
)
def test_a_wrong_configuration_says_so(wrong, says):
    with pytest.raises(UsageError, match=says):
        replace(IMAGE, **wrong)
    assert ImageEncoderConfig().multiple == 4
