"""The inner head of the U-Net: a second, weaker prediction from the same evaluation, and nothing else changes."""

from dataclasses import replace

import pytest
import torch

from lodestar.core import Level
from lodestar.errors import UsageError
from lodestar.networks.layers import Norm
from lodestar.networks.unet import UNet, UNetConfig
from lodestar.process import Flow
from tiny import CONFIG, INNER, TEXT, tiny

DEEP = UNetConfig(channels=(8, 8, 16), transformers=(0, 0, 1), head=8, vector=16)
RED = ["a red circle", "a green star"]


def level() -> Level:
    return Flow().level(torch.tensor(0.5, dtype=torch.float64))


def noise(resolution: int = 8) -> torch.Tensor:
    return torch.randn(2, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("inner", [1, 2])
@pytest.mark.parametrize("patch", [1, 2])
def test_it_says_as_many_numbers_from_every_stage(inner, patch):
    network = UNet(replace(DEEP, inner=inner, patch=patch))
    out = network(noise(16), level(), network.encode(None))
    assert network.heads == tuple(out) == ("main", "inner")
    assert [o.shape for o in out.values()] == [(2, 3, 16, 16)] * 2


@pytest.mark.parametrize("inner", [1, 2])
def test_it_reads_its_stage_and_no_later_one(inner):
    torch.manual_seed(0)
    network = UNet(replace(DEEP, inner=inner))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    before = network(noise(16), level(), network.encode(None))
    for later in (*network.up[inner - 1 :], network.head):
        for parameter in later.parameters():
            torch.nn.init.normal_(parameter)
    after = network(noise(16), level(), network.encode(None))
    assert torch.equal(before["inner"], after["inner"])
    assert (before["main"] - after["main"]).abs().max() > 0.1
    stage = network.up[inner - 2] if inner > 1 else network.down[-1]
    for parameter in stage.parameters():
        torch.nn.init.normal_(parameter)
    assert (network(noise(16), level(), network.encode(None))["inner"] - before["inner"]).abs().max() > 0.1


def test_without_it_a_network_is_what_it_was_and_with_it_the_rest_is():
    torch.manual_seed(0)
    plain = UNet(CONFIG, TEXT)
    torch.manual_seed(0)
    both = UNet(INNER, TEXT)
    own, other = plain.state_dict(), both.state_dict()
    assert plain.heads == ("main",)
    assert [k for k in own if not torch.equal(own[k], other[k])] == []
    assert {k.partition(".")[0] for k in other.keys() - own.keys()} == {"inner"}


def test_the_main_head_is_bit_for_bit_that_of_the_network_without():
    both, plain = tiny(config=INNER).network, tiny().network
    plain.load_state_dict({k: v for k, v in both.state_dict().items() if not k.startswith("inner.")})
    out = both(noise(), level(), both.encode(TEXT.encode(RED)))
    assert torch.equal(out["main"], plain(noise(), level(), plain.encode(TEXT.encode(RED))))
    assert (out["main"] - out["inner"]).abs().max() > 0.1


def test_it_begins_with_zero():
    network = UNet(INNER)
    assert network(noise(), level(), network.encode(None))["inner"].abs().max() == 0


def test_gradients_reach_every_parameter():
    network = tiny(config=INNER).network.train()
    out = network(noise(), level(), network.encode(TEXT.encode(RED)))
    sum(o.square().mean() for o in out.values()).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_a_hook_changes_both_heads():
    network = tiny(config=INNER).network
    context = network.encode(TEXT.encode(RED))
    plain, changed = (n(noise(), level(), context) for n in (network, network.hooked("skip(0)")))
    assert all((plain[head] - changed[head]).abs().max() > 1e-3 for head in network.heads)


@pytest.mark.parametrize("inner", [-1, 2])
def test_a_stage_that_is_not_there_is_refused(inner):
    with pytest.raises(UsageError, match=f"inner must be from 0 to 1, got {inner}: this network has 2 stages"):
        replace(CONFIG, inner=inner)


def test_the_way_back_to_a_norm_whose_input_does_not_learn():
    """In channels-last memory torch 2.13 crashes there, which would end a training of a part of a network."""
    g = torch.Generator().manual_seed(0)
    x, norm = torch.randn(2, 16, 4, 4, generator=g), Norm(16)
    grads = []
    for memory in (torch.contiguous_format, torch.channels_last):
        norm.zero_grad()
        (norm(x.contiguous(memory_format=memory)) * torch.arange(16.0)[:, None, None]).square().mean().backward()
        grads.append(norm.weight.grad.clone())
    torch.testing.assert_close(*grads)
    assert grads[0].abs().max() > 0.1
