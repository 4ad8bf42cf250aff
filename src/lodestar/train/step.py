"""One step of training: the gradient of a batch, gathered part by part, and one update of the weights along it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..data import Batch
from ..precision import Precision, autocast, choose
from .checkpoint import State
from .config import TrainConfig
from .ema import Ema
from .only import train_only
from .optim import optimizer
from .rate import rate, set_rate
from .repeat import reseed
from .shares import clipped, shares
from .task import Task, facts
from .watch import Part, Seen

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Training:
    """A task at work: `state` is what its steps change."""

    task: Task
    config: TrainConfig
    accelerator: Accelerator
    state: State
    precision: Precision

    def step(self, stream: Iterator[Batch], step: int) -> Seen:
        """Train on the next batch of the stream, which is that of this step, counted from 0."""
        reseed(self.config.seed, step)
        set_rate(self.state.optimizer, rate(self.config, step))
        mine = shares(next(stream), self.config.accumulate, self.accelerator)
        parts = [self._backward(batch, step, row) for batch, row in mine]
        norm = clipped(self.accelerator, self.task.network, self.config.clip)
        self.state.update(step)
        return Seen(step, parts, norm)

    def _backward(self, batch: Batch, step: int, row: int) -> Part:
        """Add the gradient of a part of the batch, whose first sample is at place `row` in the whole."""
        with autocast(self.accelerator.device, self.precision):
            losses = self.task.loss(batch, step, row)
        self.accelerator.backward(losses.mean() / self.config.accumulate)
        return Part(losses.detach(), facts(self.task))


def prepared(task: Task, config: TrainConfig, accelerator: Accelerator) -> Training:
    """The task's network where it is to be trained, with an average and an optimizer of its own."""
    place = accelerator.device
    task.network.to(place, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    train_only(task.network, config.only)
    state = State(task.network, Ema(config, task.network), optimizer(config, task.network))
    if config.compile:
        task.network.compile()
    return Training(task, config, accelerator, state, choose(config.precision, place))
