"""What is seen and kept of the steps of a run: means in the log and on the screen, checkpoints, looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from .checkpoint import Checkpoints
from .log import Log
from .progress import Shown
from .rate import rate
from .step import Training
from .watch import Seen, Watch


@dataclass(frozen=True)
class Look:
    """Something to look at now and then: called with the averaged network and the steps done, logged."""

    name: str
    every: int  # steps; 0: never
    call: Callable[[nn.Module, int], Mapping[str, object]]

    def due(self, steps: int, total: int) -> bool:
        return self.every > 0 and (steps % self.every == 0 or steps == total)


@dataclass(frozen=True)
class Snapshot:
    """Something to keep of a run, once: called with the averaged network after so many steps.

    That is before the checkpoint of the same step, so a run that goes on from a later one has it already.
    """

    steps: int  # 0: never
    call: Callable[[nn.Module], None]


class Account:
    """Of one run, from step `steps` on. The process that leads writes it."""

    def __init__(
        self,
        training: Training,
        checkpoints: Checkpoints,
        log: Log,
        shown: Shown,
        looks: Sequence[Look],
        snapshot: Snapshot | None,
        steps: int,
    ) -> None:
        self.training, self.config = training, training.config
        self.checkpoints, self.log, self.shown = checkpoints, log, shown
        self.looks, self.snapshot = looks, snapshot
        self.steps = steps  # done
        self.line: Mapping[str, float] = {}  # the last one of the means
        self.leads = training.accelerator.is_main_process
        self._watch = Watch(lag=int(training.accelerator.device.type != "cpu"))

    def add(self, seen: Seen) -> None:
        """One more step is done. Raises NonFinite."""
        self._watch.add(seen)
        self.steps = seen.step + 1
        self.shown.advance(self.steps)

    def settle(self, last: bool) -> None:
        """Tell and save what is due after this step; all of it after the last one."""
        if last or self.steps % self.config.log_every == 0:
            self._tell()
        if self.leads and self.snapshot is not None and self.steps == self.snapshot.steps:
            self._watch.settle()
            self.snapshot.call(self.training.state.ema.network)
        if self.leads and (last or self.checkpoints.due(self.steps)):
            self._watch.settle()
            self.checkpoints.save(self.training.state, self.steps)

    def look(self) -> None:
        """Log what the looks that are due have to say."""
        if not self.leads:
            return
        with self._watch.paused():
            for look in self.looks:
                if look.due(self.steps, self.config.total):
                    self.log.write(self.steps, **{look.name: look.call(self.training.state.ema.network, self.steps)})

    def _tell(self) -> None:
        """The means since the last time, in the log and on the screen."""
        images, lr = self.steps * self.config.batch, rate(self.config, self.steps - 1)
        self.line = {"images": images, "lr": lr, **self._watch.report()}
        self.log.write(self.steps, **self.line)
        self.shown.report(self.steps, self.line)
