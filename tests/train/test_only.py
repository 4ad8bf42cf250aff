"""Training a part of a network: it learns, and the rest is bit for bit what it was."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from squares import CONFIG, Breaks, Net, Squares, run

from lodestar import load
from lodestar.errors import UsageError
from lodestar.networks.tower import TowerConfig
from lodestar.networks.unet import UNetConfig
from lodestar.train import Preset, train
from lodestar.train.only import train_only
from lodestar.train.optim import OPTIMIZERS

NETWORK = UNetConfig(
    channels=(8, 16), transformers=(0, 1), head=8, vector=16, tower=TowerConfig(dim=16, head=8, convolutions=1)
)
PLAIN = Preset(
    name="tiny", command="", train=replace(CONFIG, steps=6), network=NETWORK, resolution=8, condition="text",
    length=8, vocab=300, guidance="cfg(2)", steps=2,
)  # fmt: skip
BOTH = replace(PLAIN, network=replace(NETWORK, inner=1))
ALONE = replace(BOTH, train=replace(BOTH.train, only="inner"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(PLAIN, Squares(), tmp_path_factory.mktemp("runs") / "plain", device="cpu", quiet=True)


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_head_is_trained_on_a_model_that_stays_as_it_is(plain, tmp_path, optimizer, capsys):
    asked = replace(ALONE, train=replace(ALONE.train, optimizer=optimizer))
    ended = train(asked, Squares(), tmp_path / "r", init=plain.out / "model", device="cpu")
    assert "tensors taken over; new: inner.modulation (2), inner.head (2)" in capsys.readouterr().err
    before, after = weights(plain.out), weights(ended.out)
    assert all(torch.equal(before[name], after[name]) for name in before)
    new = after.keys() - before.keys()
    assert {name.partition(".")[0] for name in new} == {"inner"}
    assert all(after[name].abs().max() > 0 for name in new)
    one, other = (load(run.out / "model").sample("a red square", n=2, guidance="cfg(2)") for run in (plain, ended))
    assert torch.equal(one.images, other.images)
    assert load(ended.out / "model").sample("a red square", guidance="internal(2)").evaluations == 2


def test_it_ends_where_it_does_when_it_is_resumed(plain, tmp_path):
    asked = {"init": plain.out / "model", "device": "cpu", "quiet": True}
    train(ALONE, Squares(), tmp_path / "whole", **asked)
    with pytest.raises(RuntimeError, match="broken"):
        train(ALONE, Breaks(), tmp_path / "parts", **asked)
    train(ALONE, Squares(), tmp_path / "parts", resume=True, device="cpu", quiet=True)
    whole, parts = (weights(tmp_path / name) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_with_both_the_rest_learns_too(plain, tmp_path):
    ended = train(BOTH, Squares(), tmp_path / "r", init=plain.out / "model", device="cpu", quiet=True)
    before, after = weights(plain.out), weights(ended.out)
    assert sum(not torch.equal(before[name], after[name]) for name in before) > 20


def test_any_part_of_any_network_by_its_name(tmp_path):
    ended = run(tmp_path, replace(CONFIG, steps=3, only="inside"))
    fresh = Net().state_dict()
    changed = {name for name, value in ended.network.state_dict().items() if not torch.equal(value, fresh[name])}
    assert changed == {"inside.weight", "inside.bias"}


def test_a_name_is_no_prefix_of_letters():
    network = Net()
    train_only(network, "inside.weight")
    assert [n for n, p in network.named_parameters() if p.requires_grad] == ["inside.weight"]
    for part in ("in", "inside.w", "x"):
        with pytest.raises(UsageError, match=f"only '{part}' is to be trained.*it has inside, outside, table"):
            train_only(network, part)
    train_only(network, "")
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("part", "init", "says"),
    [
        ("inner", False, "only 'inner' is to be trained and the rest stays as it is: give --init"),
        ("iner", True, "only 'iner' is to be trained and this network has no such part: it has encoder, level"),
    ],
)
def test_what_cannot_be_trained_alone_is_refused_before_anything_is_written(plain, tmp_path, part, init, says):
    asked = replace(ALONE, train=replace(ALONE.train, only=part))
    with pytest.raises(UsageError, match=says) as refused:
        train(asked, Squares(), tmp_path / "r", init=plain.out / "model" if init else None, device="cpu", quiet=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "r").exists()


def test_a_head_on_blocks_that_nobody_has_trained_is_refused(plain, tmp_path):
    """They would stay as chance made them."""
    deeper = replace(ALONE, network=replace(ALONE.network, transformers=(0, 2)))
    with pytest.raises(UsageError, match=r"'inner' is to be trained, and down\.1 \(\d+\) would stay untrained: give"):
        train(deeper, Squares(), tmp_path / "r", init=plain.out / "model", device="cpu", quiet=True)
    assert not (tmp_path / "r").exists()


def test_the_log_tells_the_loss_of_the_inner_head(plain, tmp_path):
    ended = train(ALONE, Squares(), tmp_path / "r", init=plain.out / "model", device="cpu", quiet=True)
    assert 0 < ended.last["inner_loss"] < 2 * ended.last["loss"]
    assert "inner_loss" not in plain.last


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_of_the_inner_loss_that_is_none(tmp_path, weight):
    with pytest.raises(UsageError, match="inner_weight must be finite and more than 0"):
        train(replace(BOTH, inner_weight=weight), Squares(), tmp_path / "r", quiet=True)
