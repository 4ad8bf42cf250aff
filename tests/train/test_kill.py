"""Runs in a process of their own, ended from outside."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import squares
import torch
from squares import CONFIG, run

from lodestar.train.checkpoint import Checkpoints

LONG = replace(CONFIG, steps=100_000)


def started(folder):
    """A long run in a process, when it has saved at least one checkpoint."""
    env = {**os.environ, "PYTHONPATH": str(Path(squares.__file__).parents[2] / "src")}
    args = [sys.executable, squares.__file__, str(folder), str(LONG.steps)]
    process = subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not Checkpoints(folder / "checkpoints", LONG).all():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.02)
    return process


def steps_of(folder):
    return int(Checkpoints(folder / "checkpoints", LONG).last().name.removeprefix("step-"))


def same_checkpoints(a, b):
    from safetensors.torch import load_file

    one, other = (Checkpoints(f / "checkpoints", LONG).last() for f in (a, b))
    for name in ("weights", "average", "optimizer"):
        x, y = (load_file(p / f"{name}.safetensors") for p in (one, other))
        assert x.keys() == y.keys()
        assert all(torch.equal(x[k], y[k]) for k in x), name


def test_kill_9_loses_nothing_but_the_steps_since_the_last_checkpoint(tmp_path):
    process = started(tmp_path / "killed")
    time.sleep(0.5)
    process.kill()
    process.communicate()
    last = steps_of(tmp_path / "killed")
    assert last % CONFIG.checkpoint_every == 0
    more = replace(CONFIG, steps=LONG.steps)  # the same schedule, ended early below
    ended = [stop_after(tmp_path / name, more, last + 4, name == "killed") for name in ("killed", "whole")]
    assert ended == [last + 4, last + 4]
    same_checkpoints(tmp_path / "killed", tmp_path / "whole")


def stop_after(folder, config, steps, resume):
    """The loop, stopped by a SIGTERM to this process after so many steps."""
    from lodestar.train import Look, loop

    look = Look("stop", 1, lambda _, n: os.kill(os.getpid(), signal.SIGTERM) if n == steps - 1 else {})
    stream = lambda first: squares.Squares().batches(config.batch, config.seed, first)  # noqa: E731
    return loop(squares.task(config), stream, config, folder, looks=[look], resume=resume, device="cpu", quiet=True).steps


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_cleanly(tmp_path, number):
    process = started(tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"{number.name}: saving after this step" in err
    assert out == f"ended after {steps_of(tmp_path)} by {number.name}\n"


def test_handlers_come_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    run(tmp_path)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_second_ctrl_c_ends_at_once():
    from lodestar.train.stop import stopping

    said = []
    with pytest.raises(KeyboardInterrupt), stopping(said.append) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        assert stop.asked == "SIGINT"
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    assert len(said) == 1
