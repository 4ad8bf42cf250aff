"""Learning rate, average, optimizer, precision, prefetch, validation, log and progress."""

import io
import json
import threading
import time
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from squares import CONFIG, Net, Squares, task
from torch import nn

from lodestar.errors import UsageError
from lodestar.precision import autocast, choose
from lodestar.train.config import TrainConfig
from lodestar.train.ema import Ema, decay
from lodestar.train.log import Log
from lodestar.train.optim import decay_groups, optimizer
from lodestar.train.prefetch import prefetch
from lodestar.train.progress import progress
from lodestar.train.rate import rate
from lodestar.train.validate import LEVELS, Validation


def test_rates_rise_and_fall():
    config = replace(CONFIG, steps=100, warmup=10, lr=1.0, schedule="cosine")
    assert [rate(config, s) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert rate(config, 55) == pytest.approx(0.5, abs=1e-6)
    assert rate(config, 99) < 1e-3
    assert rate(replace(config, schedule="linear"), 55) == pytest.approx(0.5)
    assert rate(replace(config, schedule="constant"), 99) == 1.0
    assert rate(replace(config, lr_end=0.1), 99) == pytest.approx(0.1, abs=1e-3)


def test_a_wsd_schedule_goes_down_at_the_end_alone():
    config = replace(CONFIG, steps=110, warmup=10, lr=1.0, schedule="wsd", cooldown=0.25)
    assert [rate(config, s) for s in (4, 10, 50, 85)] == pytest.approx([0.5, 1, 1, 1])
    assert [rate(config, s) for s in (95, 100, 109)] == pytest.approx([0.6, 0.4, 0.04])
    assert rate(replace(config, lr_end=0.5), 100) == pytest.approx(0.7)
    assert rate(replace(config, cooldown=0), 109) == 1.0


def test_ema_is_the_formula():
    config, net = replace(CONFIG, ema_half_life=50), nn.Linear(1, 1, bias=False)
    ema, expected = Ema(config, net), 0.0
    for step in range(200):
        nn.init.constant_(net.weight, float(step))
        ema.update(net, step)
        d = decay(config, step)
        expected = d * expected + (1 - d) * step
    assert float(ema.network.weight) == pytest.approx(expected, rel=1e-5)
    assert decay(config, 0) == 0.0  # the first weights as they are
    assert decay(config, 10**6) == pytest.approx(0.5 ** (8 / 50))
    assert decay(config, 10) < decay(config, 100)
    assert decay(replace(config, ema_half_life=0), 100) == 0.0


def test_ema_without_gradient_and_apart_from_the_network():
    net = Net()
    ema = Ema(CONFIG, net)
    assert not any(p.requires_grad for p in ema.network.parameters())
    assert not ema.network.training
    nn.init.zeros_(net.inside.weight)
    assert ema.network.inside.weight.abs().sum() > 0


def test_only_matrices_and_kernels_decay():
    net = Net()
    heavy, light = decay_groups(net, 0.1)
    assert {id(p) for p in heavy["params"]} == {id(net.inside.weight), id(net.outside.weight)}
    assert {id(p) for p in light["params"]} == {id(net.inside.bias), id(net.outside.bias), id(net.table.weight)}
    assert (heavy["weight_decay"], light["weight_decay"]) == (0.1, 0.0)
    with pytest.raises(UsageError, match="did you mean 'adamw'"):
        optimizer(replace(CONFIG, optimizer="adam"), net)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 0}, "either steps or images"),
        ({"images": 10}, "either steps or images"),
        ({"batch": 0}, "batch must be finite and at least 1"),
        ({"accumulate": 3}, "does not divide"),
        ({"lr": float("nan")}, "lr must be finite"),
        ({"lr": 0.0}, "lr must be more than 0"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"clip": -1.0}, "clip"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"cooldown": 1.5}, "cooldown and lr_end are shares, at most 1, got 1.5 and 0.0"),
        ({"lr_end": 2.0}, "shares, at most 1"),
    ],
)
def test_a_wrong_config_says_so(wrong, says):
    with pytest.raises(UsageError, match=says):
        replace(CONFIG, **wrong)


def test_images_make_steps():
    assert TrainConfig(images=1000, batch=128).total == 8
    assert TrainConfig(steps=3).total == 3


def test_precision_is_measured_or_given():
    cpu = torch.device("cpu")
    assert choose("bf16", cpu) == "bf16"
    assert choose("auto", cpu) in ("fp32", "bf16")
    with autocast(cpu, "bf16"):
        assert nn.Linear(4, 4)(torch.ones(1, 4)).dtype == torch.bfloat16
    with autocast(cpu, "fp32"):
        assert nn.Linear(4, 4)(torch.ones(1, 4)).dtype == torch.float32


def test_prefetch_keeps_the_order_and_runs_ahead():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    with prefetch(items, depth=3) as stream:
        assert next(stream) == 0
        end = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < end:
            time.sleep(0.01)
        assert made == [0, 1, 2, 3, 4]  # one taken, three waiting, one in hand
        assert [next(stream) for _ in range(50)] == list(range(1, 51))
    assert not any(t.name == "lodestar-data" for t in threading.enumerate())


def test_prefetch_raises_what_the_data_raises():
    def items():
        yield 1
        raise UsageError("rotten")

    with prefetch(items) as stream:
        assert next(stream) == 1
        with pytest.raises(UsageError, match="rotten"):
            next(stream)
    with prefetch(lambda: iter([1])) as stream:
        next(stream)
        with pytest.raises(UsageError, match="ran out"):
            next(stream)


def test_validation_is_repeatable_and_by_level():
    one = task()
    validation = Validation(one, Squares().held_out(24), 5)
    first = validation(one.network)
    assert first == validation(one.network)
    assert len(first["levels"]) == LEVELS
    assert sum(first["levels"].values()) / LEVELS == pytest.approx(first["loss"])
    assert one.network.training
    assert Validation(one, Squares().held_out(24), 24)(one.network)["loss"] == pytest.approx(first["loss"], rel=1e-5)
    nn.init.constant_(one.network.outside.bias, 3.0)
    assert validation(one.network)["loss"] > first["loss"]


def test_log_goes_on_where_the_checkpoint_stands(tmp_path):
    with Log(tmp_path) as log:
        for steps in (10, 20, 30):
            log.write(steps, loss=1.0 / steps, validation={"loss": 2.0})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')  # a kill in the middle of a line
    with Log(tmp_path, 20) as log:
        log.write(25, loss=3.0)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 25]
    assert lines[0]["validation"] == {"loss": 2.0}


def test_log_goes_to_tensorboard_where_there_is_one(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Log(tmp_path) as log:
        log.write(10, loss=0.5, validation={"loss": 2.0}, samples={"file": "a.png"})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "validation/loss"}
    assert events.Scalars("loss")[0].value == 0.5


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_loss_speed_and_drop_rate(terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=150)
    with progress(100, 10, console=console) as shown:
        shown.advance(50)
        shown.report(50, {"loss": 0.25, "images_per_second": 1234.0, "drop_rate": 0.1})
        shown.say("saving [now]")
    seen = text.getvalue()
    assert all(part in seen for part in ("loss 0.2500", "1234 images/s", "dropped 10.0%", "left", "saving [now]"))
    assert ("\x1b" in seen) == terminal
