"""Checkpoints: whole or not there, whatever happens while one is written."""

import errno
import json
import resource
import shutil
from dataclasses import replace

import pytest
import torch
from squares import CONFIG, Net, run

from lodestar.errors import UsageError
from lodestar.train import checkpoint
from lodestar.train.checkpoint import Checkpoints, State, fill, is_whole
from lodestar.train.ema import Ema
from lodestar.train.moments import moments, set_moments
from lodestar.train.optim import optimizer


def state(seed=0, steps=0):
    """A network that has made some steps on made-up gradients."""
    net = Net(seed=seed).to(memory_format=torch.channels_last)
    made = State(net, Ema(CONFIG, net), optimizer(CONFIG, net))
    for step in range(steps):
        for p in net.parameters():
            p.grad = torch.full_like(p, 0.1 * (step + 1))
        made.update(step)
    return made


def same(a, b):
    pairs = [(a.network.state_dict(), b.network.state_dict()), (a.ema.network.state_dict(), b.ema.network.state_dict())]
    pairs.append((moments(a.optimizer, a.network), moments(b.optimizer, b.network)))
    return all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in pairs)


@pytest.fixture
def store(tmp_path):
    return Checkpoints(tmp_path, CONFIG)


def test_what_is_saved_comes_back(store):
    one, other = state(0, 3), state(1)
    store.save(one, 3)
    assert store.restore(other) == 3
    assert same(one, other)
    for made in (one, other):  # and both go on alike
        for p in made.network.parameters():
            p.grad = torch.ones_like(p)
        made.update(3)
    assert same(one, other)


def test_moments_keep_the_memory_layout_of_their_parameters(store):
    one, other = state(0, 1), state(1)
    store.save(one, 1)
    store.restore(other)
    weight = other.network.inside.weight
    assert other.optimizer.state[weight]["exp_avg"].stride() == weight.stride() != weight.contiguous().stride()


def test_the_last_ones_are_kept(store):
    for steps in (3, 6, 9):
        store.save(state(0, 1), steps)
    assert [p.name for p in store.all()] == ["step-00000006", "step-00000009"]
    assert sorted(p.name for p in store.folder.iterdir()) == ["step-00000006", "step-00000009"]


def test_it_is_due_by_steps_and_not_too_often(tmp_path):
    assert Checkpoints(tmp_path, CONFIG).due(6)
    assert not Checkpoints(tmp_path, CONFIG).due(7)
    assert not Checkpoints(tmp_path, replace(CONFIG, checkpoint_seconds=60.0)).due(6)


def test_no_checkpoint_is_step_0(store):
    assert store.restore(state()) == 0


@pytest.mark.parametrize("name", ["weights.safetensors", "average.safetensors", "optimizer.safetensors", "state.json"])
def test_a_truncated_checkpoint_is_one_line_that_names_the_one_before(store, name):
    one = state(0, 2)
    store.save(one, 3)
    store.save(one, 6)
    file = store.last() / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"step-00000006.*remove it.*step-00000003") as error:
        store.restore(state())
    assert "\n" not in str(error.value)
    shutil.rmtree(store.last())
    assert store.restore(state()) == 3


def test_the_one_before_is_only_named_if_it_is_whole(store):
    for steps in (3, 6):
        store.save(state(0, 1), steps)
        (store.last() / "weights.safetensors").write_bytes(b"")
    assert not is_whole(store.last())
    with pytest.raises(UsageError, match="start anew"):
        store.restore(state())


@pytest.mark.parametrize("text", ["[]", "{}", '{"lodestar_checkpoint": 99, "steps": 3}', '{"step": 1}', "\x00"])
def test_a_foreign_state_is_refused(store, text):
    store.save(state(0, 1), 3)
    (store.last() / "state.json").write_text(text)
    with pytest.raises(UsageError, match="step-00000003"):
        store.restore(state())


def test_another_networks_checkpoint_is_refused(store):
    store.save(state(0, 1), 3)
    net = Net(classes=9)
    with pytest.raises(UsageError, match=r"another network \('table.weight' does not fit\)"):
        store.restore(State(net, Ema(CONFIG, net), optimizer(CONFIG, net)))


def test_fill_refuses_missing_names():
    with pytest.raises(UsageError, match="another network"):
        fill(Net(), {})


def test_moments_of_another_network_are_refused():
    made = state(0, 1)
    tensors = {f"x{k}": v for k, v in moments(made.optimizer, made.network).items()}
    with pytest.raises(UsageError, match="another network or optimizer"):
        set_moments(made.optimizer, made.network, tensors)


def test_a_death_while_writing_leaves_the_last_one(store, monkeypatch):
    one = state(0, 2)
    store.save(one, 3)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.os, "rename", die)
    with pytest.raises(KeyboardInterrupt):
        store.save(state(0, 5), 6)
    monkeypatch.undo()
    other = state(1)
    assert store.restore(other) == 3
    assert same(one, other)
    store.save(one, 6)  # what was left half-written is in nobody's way
    assert sorted(p.name for p in store.folder.iterdir()) == ["step-00000003", "step-00000006"]


def test_a_full_disk_is_one_line_and_the_last_one_is_whole(store):
    one = state(0, 2)
    store.save(one, 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))  # the system then refuses every byte beyond, as if full
    try:
        with pytest.raises(UsageError, match=r"cannot write.*step-00000003 is whole, and --resume goes on") as error:
            store.save(one, 6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    assert [p.name for p in store.folder.iterdir()] == ["step-00000003"]
    assert store.restore(state()) == 3


def test_a_disk_that_fills_at_the_end_leaves_nothing_behind(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "rename", full)
    with pytest.raises(UsageError, match=r"No space left.*there is no earlier checkpoint"):
        store.save(state(), 3)
    assert not list(store.folder.iterdir())


def test_nothing_in_a_run_is_pickled(tmp_path):
    run(tmp_path)
    files = [p for p in (tmp_path / "checkpoints").rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".json", ".safetensors"}
    for file in files:
        header = file.read_bytes()
        json.loads(header if file.suffix == ".json" else header[8 : 8 + int.from_bytes(header[:8], "little")])
