"""The training loop: flat, and it knows nothing but a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..data import Batch
from .checkpoint import FOLDER, Checkpoints, State
from .config import TrainConfig
from .ema import Ema
from .log import Log
from .optim import optimizer
from .precision import autocast, choose
from .prefetch import prefetch
from .progress import progress
from .rate import rate, set_rate
from .repeat import repeatable, reseed
from .shares import agreed, clipped, shares
from .stop import stopping
from .task import Task, facts
from .watch import Part, Seen, Watch


@dataclass(frozen=True)
class Look:
    """Something to look at now and then: called with the averaged network and the steps done, logged."""

    name: str
    every: int  # steps; 0: never
    call: Callable[[nn.Module, int], Mapping[str, object]]

    def due(self, steps: int, total: int) -> bool:
        return self.every > 0 and (steps % self.every == 0 or steps == total)


def look(looks: Sequence[Look], network: nn.Module, steps: int, total: int) -> Iterator[dict[str, object]]:
    """What the looks that are due have to say."""
    for each in looks:
        if each.due(steps, total):
            yield {each.name: each.call(network, steps)}


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    network: nn.Module  # averaged
    steps: int
    stopped: str | None  # the signal that ended it early
    last: Mapping[str, float]  # the last line of the log
    seconds: float  # of the whole run, in all its parts


def loop(
    task: Task,
    batches: Callable[[int], Iterator[Batch]],
    config: TrainConfig,
    folder: Path,
    *,
    looks: Sequence[Look] = (),
    resume: bool = False,
    device: str | None = None,
    quiet: bool = False,
) -> Outcome:
    """Train `task.network` on batches(first step), with checkpoints and log in `folder`.

    A resumed run ends bit for bit where an uninterrupted one does. Raises NonFinite, and UsageError for checkpoints.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=device == "cpu")
    place, leads = accelerator.device, accelerator.is_main_process
    task.network.to(place, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    state = State(task.network, Ema(config, task.network), optimizer(config, task.network))
    checkpoints = Checkpoints(folder / FOLDER, config)
    steps = first = checkpoints.restore(state) if resume else 0
    precision, watch, line = choose(config.precision, place), Watch(lag=int(place.type != "cpu")), {}
    if config.compile:
        task.network.compile()
    with (
        repeatable(place),
        Log(folder, first, enabled=leads) as log,
        progress(config.total, first, quiet=quiet or not leads) as shown,
        stopping(shown.say) as stop,
        prefetch(lambda: batches(first)) as stream,
    ):
        for step in range(first, config.total):
            reseed(config.seed, step)
            set_rate(state.optimizer, rate(config, step))
            parts, steps = [], step + 1
            for batch, row in shares(next(stream), config.accumulate, accelerator):
                with autocast(place, precision):
                    losses = task.loss(batch, step, row)
                accelerator.backward(losses.mean() / config.accumulate)
                parts.append(Part(losses.detach(), facts(task)))
            norm = clipped(accelerator, task.network, config.clip)
            state.update(step)
            watch.add(Seen(step, parts, norm))
            shown.advance(steps)
            stopped = agreed(accelerator, stop.asked is not None)
            if stopped or steps % config.log_every == 0 or steps == config.total:
                line = {"images": steps * config.batch, "lr": rate(config, step), **watch.report()}
                log.write(steps, **line)
                shown.report(steps, line)
            if leads and (stopped or steps == config.total or checkpoints.due(steps)):
                watch.settle()
                checkpoints.save(state, steps)
            if stopped:
                break
            with watch.paused():
                for said in look(looks if leads else (), state.ema.network, steps, config.total):
                    log.write(steps, **said)
    return Outcome(state.ema.network, steps, stop.asked, line, log.seconds)
