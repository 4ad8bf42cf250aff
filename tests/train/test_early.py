"""The early snapshot of a run: a model of its own, the average as it was then, whatever happened to the run since."""

import json
from dataclasses import replace

import pytest
import torch
from squares import CONFIG, Squares
from test_only import PLAIN

from lodestar import load
from lodestar.errors import UsageError
from lodestar.train import TrainConfig, train

STEPS, EARLY = 12, 4
ASKED = replace(PLAIN, train=replace(CONFIG, steps=STEPS, early=EARLY / STEPS, checkpoint_every=3))


class Breaks(Squares):
    """Ends with an error in a step, counted from 0."""

    def __init__(self, at):
        self.at = at

    def batches(self, size, seed, start=0):
        for i, batch in enumerate(super().batches(size, seed, start), start):
            if i == self.at:
                raise RuntimeError("broken")
            yield batch


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(ASKED, Squares(), tmp_path_factory.mktemp("runs") / "whole", device="cpu", quiet=True).out


def files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_it_is_a_model_and_says_when_it_was_taken(whole):
    early, model = load(whole / "early"), load(whole / "model")
    assert (early.name, early.card["recipe"]["images"]) == ("tiny-early", EARLY * CONFIG.batch)
    assert "seconds" not in early.card["recipe"]
    assert (early.schema, early.kind, early.defaults) == (model.schema, model.kind, model.defaults)
    own, other = early.network.state_dict(), model.network.state_dict()
    assert any(not torch.equal(own[name], other[name]) for name in own)


def test_it_is_what_the_average_was_then(whole, tmp_path):
    """A run of so many steps at a constant rate has that average."""
    config = replace(CONFIG, schedule="constant", checkpoint_every=3)
    for name, train_config in (
        ("long", replace(config, steps=STEPS, early=EARLY / STEPS)),
        ("short", replace(config, steps=EARLY)),
    ):
        train(replace(PLAIN, train=train_config), Squares(), tmp_path / name, device="cpu", quiet=True)
    early, short = (load(tmp_path / p).network.state_dict() for p in ("long/early", "short/model"))
    assert all(torch.equal(early[name], short[name]) for name in early)


def test_it_guides_its_own_run(whole):
    asked = {"n": 2, "guidance": "auto(2)", "seed": 1}
    model, early = load(whole / "model"), load(whole / "early")
    result = model.sample("a red square", nets={"weak": early}, **asked)
    assert result.evaluations == 2 * 2 * 2
    assert result.recipe["nets"] == {"weak": "tiny-early"}
    assert not torch.equal(result.images, model.sample("a red square", n=2, guidance=1, seed=1).images)


@pytest.mark.parametrize("at", [2, 4, 5, 8], ids=["before", "at its step", "between checkpoints", "after"])
def test_of_an_interrupted_run_it_is_the_same(whole, tmp_path, at):
    with pytest.raises(RuntimeError, match="broken"):
        train(ASKED, Breaks(at), tmp_path, device="cpu", quiet=True)
    assert (tmp_path / "early").exists() == (at >= EARLY)
    train(ASKED, Squares(), tmp_path, resume=True, device="cpu", quiet=True)
    assert files(tmp_path / "early") == files(whole / "early")


def test_a_checkpoint_of_its_step_is_written_after_it(tmp_path, monkeypatch):
    """Else a run that is killed between the two would go on without it."""
    seen = []
    monkeypatch.setattr("lodestar.train.checkpoint.Checkpoints.save", lambda _, state, steps: seen.append(there(steps)))
    there = lambda steps: (steps, (tmp_path / "r" / "early" / "config.json").is_file())  # noqa: E731
    asked = replace(ASKED, train=replace(ASKED.train, early=3 / STEPS))
    train(asked, Squares(), tmp_path / "r", device="cpu", quiet=True)
    assert seen == [(3, True), (6, True), (9, True), (12, True)]


def test_a_run_that_is_made_longer_takes_it_at_its_share_of_the_whole(whole, tmp_path):
    train(replace(ASKED, train=replace(ASKED.train, steps=6)), Squares(), tmp_path, device="cpu", quiet=True)
    assert load(tmp_path / "early").card["recipe"]["images"] == 2 * CONFIG.batch
    longer = replace(ASKED, train=replace(ASKED.train, steps=24))
    train(longer, Squares(), tmp_path, resume=True, device="cpu", quiet=True)
    assert load(tmp_path / "early").card["recipe"]["images"] == 8 * CONFIG.batch


def test_none_is_kept_where_none_is_asked_for(tmp_path):
    asked = replace(ASKED, train=replace(ASKED.train, steps=2, early=0.0))
    train(asked, Squares(), tmp_path, device="cpu", quiet=True)
    assert not (tmp_path / "early").exists()
    assert json.loads((tmp_path / "config.json").read_text())["preset"]["train"]["early"] == 0


@pytest.mark.parametrize(("steps", "early", "at"), [(100, 0.125, 13), (2, 0.125, 1), (8, 0.0, 0), (100, 0.5, 50)])
def test_the_step_of_a_share(steps, early, at):
    assert TrainConfig(steps=steps, early=early).early_steps == at


@pytest.mark.parametrize(
    ("early", "says"), [(1.0, "less than 1, got 1.0"), (-0.1, "at least 0"), (float("nan"), "nan")]
)
def test_a_share_that_is_none(early, says):
    with pytest.raises(UsageError, match=says):
        TrainConfig(steps=1, early=early)
