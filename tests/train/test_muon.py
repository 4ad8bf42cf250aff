"""Muon: steps are orthogonal, kernels count as matrices, and what is no hidden matrix is AdamW's."""

import pytest
import torch
from torch import nn

from lodestar.train.config import TrainConfig
from lodestar.train.moments import moments, set_moments
from lodestar.train.muon import hidden, orthogonalised
from lodestar.train.optim import MUON_SHARE, optimizer


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(3, 8)
        self.embed = nn.Embedding(5, 8)
        self.conv = nn.Conv2d(8, 8, 3)
        self.wide = nn.Linear(8, 16)
        self.head = nn.Linear(16, 3)


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net()


def with_gradients(network: nn.Module, seed: int = 1) -> None:
    g = torch.Generator().manual_seed(seed)
    for p in network.parameters():
        p.grad = torch.randn(p.shape, generator=g)


CONFIG = TrainConfig(steps=10, optimizer="muon", lr=1e-3, weight_decay=0.0)


@pytest.mark.parametrize("shape", [(16, 16), (8, 72), (72, 8)])
def test_singular_values_are_about_one(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(x))
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_the_direction_is_kept():
    x = torch.randn(8, 24, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    exact, got = u @ v, orthogonalised(x)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), got.flatten(), 0) > 0.95


def test_hidden_matrices_only():
    network = net()
    names = {id(p): n for n, p in network.named_parameters()}
    assert {names[id(p)] for p in hidden(network)} == {"conv.weight", "wide.weight"}


def test_a_step_of_a_kernel_has_the_size_of_the_rate_and_the_rest_is_adamw():
    network, twin = net(), net()
    with_gradients(network), with_gradients(twin)
    before = network.conv.weight.detach().clone()
    optimizer(CONFIG, network).step()
    torch.optim.AdamW([twin.stem.weight], lr=CONFIG.lr, betas=CONFIG.betas, weight_decay=0.0).step()
    moved = (network.conv.weight - before).flatten(1)
    values = torch.linalg.svdvals(moved) / CONFIG.lr  # the rate of a group is set by the loop; at first it is lr
    assert 0.4 < values.median() < 1.3
    torch.testing.assert_close(network.stem.weight, twin.stem.weight)
    shares = {g.get("lr_share", 1.0) for g in optimizer(CONFIG, net()).param_groups}
    assert shares == {1.0, MUON_SHARE}


def test_resuming_from_saved_moments_is_bit_equal():
    whole, first = net(), net()
    a = optimizer(CONFIG, whole)
    for seed in (1, 2):
        with_gradients(whole, seed)
        a.step()
    b = optimizer(CONFIG, first)
    with_gradients(first, 1)
    b.step()
    second = net(7)
    second.load_state_dict(first.state_dict())
    c = optimizer(CONFIG, second)
    set_moments(c, second, {k: v.clone() for k, v in moments(b, first).items()})
    with_gradients(second, 2)
    c.step()
    for p, q in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(p, q)
