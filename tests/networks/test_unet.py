"""The U-Net: shapes at every size it is for, what it reads, and what it must not read."""

from dataclasses import replace

import pytest
import torch

from lodestar.conditions import Label, LabelSchema
from lodestar.core import Level
from lodestar.networks.layers import Attention, TransformerBlock
from lodestar.networks.unet import SIZES, Context, UNet, UNetConfig
from lodestar.process import Flow
from tiny import CONFIG, LABEL, TEXT, tiny

B = 3


def level(*u: float) -> Level:
    return Flow().level(torch.tensor(u, dtype=torch.float64))


def noise(resolution: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(B, 3, resolution, resolution, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def text() -> UNet:
    return tiny(TEXT).network


@pytest.mark.parametrize("resolution", [8, 16, 24, 64])
@pytest.mark.parametrize("patch", [1, 2])
def test_shape_is_kept_at_every_resolution(resolution, patch):
    network = UNet(replace(CONFIG, patch=patch))
    assert network(noise(resolution), level(0.5), network.encode(None)).shape == (B, 3, resolution, resolution)


def test_a_fresh_network_puts_out_zero():
    network = UNet(CONFIG)
    assert network(noise(), level(0.5), network.encode(None)).abs().max() == 0


def test_text_is_read_word_by_word_and_in_order(text):
    prompts = ["a red circle above a blue square", "a blue square above a red circle", "a green star"]
    out = text(noise(seed=1)[:1].expand(B, -1, -1, -1), level(0.5), text.encode(TEXT.encode(prompts)))
    assert (out[0] - out[1]).abs().max() > 1e-3
    assert (out[0] - out[2]).abs().max() > 1e-3


def test_padding_is_not_read(text):
    condition = TEXT.encode(["a green star"] * B)
    other = replace(condition, ids=condition.ids.where(condition.mask, 5))
    x = noise()
    torch.testing.assert_close(text(x, level(0.5), text.encode(condition)), text(x, level(0.5), text.encode(other)))


def test_the_noise_level_is_read_per_sample(text):
    x, context = noise(), text.encode(TEXT.encode(["a green star"] * B))
    mixed = text(x, level(0.1, 0.5, 0.9), context)
    for i, u in enumerate((0.1, 0.5, 0.9)):
        torch.testing.assert_close(text(x, level(u), context)[i], mixed[i], rtol=1e-4, atol=1e-4)
    assert (text(x, level(0.1), context) - text(x, level(0.9), context)).abs().max() > 1e-3


def test_samples_do_not_read_each_other(text):
    x, context = noise(), text.encode(TEXT.encode(["a green star", "a red circle", None]))
    whole = text(x, level(0.5), context)
    for i in range(B):
        rows = slice(i, i + 1)
        torch.testing.assert_close(text(x[rows], level(0.5), context[rows]), whole[rows], rtol=1e-4, atol=1e-4)


def test_classes_and_their_null_differ():
    network = tiny(LABEL).network
    out = network(noise()[:1].expand(B, -1, -1, -1), level(0.5), network.encode(Label(torch.tensor([0, 2, -1]))))
    assert (out[0] - out[1]).abs().max() > 1e-3
    assert (out[0] - out[2]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("schema", "prompt"),
    [(LabelSchema(("cat", "dog"), null="zeros"), "dog"), (replace(TEXT, null="zeros"), "a green star")],
    ids=["label", "text"],
)
def test_a_null_of_zeros_adds_nothing(schema, prompt):
    network = tiny(schema).network
    context = network.encode(schema.encode([prompt, None]))
    for part in (context.vector, context.tokens):
        assert part is None or part[0].abs().max() > 0
        assert part is None or part[1].abs().max() == 0


def test_context_stacks_and_splits(text):
    one, two = (text.encode(TEXT.encode([p])) for p in ("a green star", "a red circle"))
    both = Context.cat([one, two])
    assert len(both) == 2
    torch.testing.assert_close(both[1:].tokens, two.tokens)
    torch.testing.assert_close(both[torch.tensor([1, 0])].vector[1:], one.vector)


def test_gradients_reach_every_parameter():
    network = tiny(TEXT).network.train()
    condition = TEXT.encode(["a green star", "a red circle above a blue square", None])
    network(noise(), level(0.5), network.encode(condition)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_sizes_go_from_small_to_fifty_million():
    counts = {name: sum(p.numel() for p in UNet(config).parameters()) for name, config in SIZES.items()}
    assert list(counts.values()) == sorted(counts.values())
    assert 1e6 < counts["small"] < 4e6
    assert 4.5e7 < counts["large"] < 5.5e7


@pytest.mark.parametrize(("fields", "message"), [
    ({"channels": (8, 16), "transformers": (0,)}, "one for each level"),
    ({"channels": (8, 18), "transformers": (0, 1), "head": 8}, "heads of 8"),
    ({"patch": 0}, "patch"),
])  # fmt: skip
def test_a_config_that_cannot_be_built_says_so(fields, message):
    with pytest.raises(ValueError, match=message):
        UNetConfig(**fields)


def test_an_image_that_does_not_halve_is_refused():
    network = UNet(UNetConfig(channels=(8, 16, 16), transformers=(0, 0, 0)))
    with pytest.raises(ValueError, match="multiple of 4"):
        network(noise(10), level(0.5), network.encode(None))


def test_a_fresh_network_does_not_read_its_text_through_attention():
    """So a model that is given a text condition later starts from what it knew."""
    for block in UNet(CONFIG, TEXT).modules():
        if isinstance(block, TransformerBlock):
            assert block.cross is not None
            assert block.cross.out.weight.abs().max() == 0
            assert block.cross.out.bias.abs().max() == 0


@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_half_precision_on_a_cpu_is_attention(masked):
    """Training writes the products out, sampling leaves them to torch: values and gradients must agree."""
    g = torch.Generator().manual_seed(0)
    attention = Attention(16, 2)
    x = torch.randn(B, 5, 16, generator=g)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4]) if masked else None
    exact = attention(x, mask=mask)
    gradient = torch.autograd.grad(exact.square().sum(), attention.q.weight)[0]
    with torch.autocast("cpu", torch.bfloat16):
        half = attention(x, mask=mask)
    torch.testing.assert_close(half.float(), exact, rtol=0.05, atol=0.02)
    other = torch.autograd.grad(half.float().square().sum(), attention.q.weight)[0]
    assert (other - gradient).norm() < 0.05 * gradient.norm()
