"""The training loop: flat, and it knows nothing but a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..data import Batch
from .account import Account, Look, Snapshot
from .alone import alone
from .checkpoint import FOLDER, Checkpoints
from .config import TrainConfig
from .device import accelerated
from .log import Log
from .prefetch import prefetch
from .progress import progress
from .repeat import repeatable
from .shares import agreed
from .step import prepared
from .stop import stopping
from .task import Task


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
    snapshot: Snapshot | None = None,
    resume: bool = False,
    device: str | None = None,
    quiet: bool = False,
) -> Outcome:
    """Train `task.network` on batches(first step), with checkpoints and log in `folder`.

    A resumed run ends bit for bit where an uninterrupted one does. Raises NonFinite, and UsageError for checkpoints.
    """
    accelerator = accelerated(device)
    leads, total = accelerator.is_main_process, config.total
    training, checkpoints = prepared(task, config, accelerator), Checkpoints(folder / FOLDER, config)
    first = checkpoints.restore(training.state) if resume else 0
    with (
        alone(folder, enabled=leads),
        repeatable(accelerator.device),
        Log(folder, first, enabled=leads) as log,
        progress(total, first, quiet=quiet or not leads) as shown,
        stopping(shown.say) as stop,
        prefetch(lambda: batches(first)) as stream,
    ):
        account = Account(training, checkpoints, log, shown, looks, snapshot, first)
        for step in range(first, total):
            account.add(training.step(stream, step))
            whole = account.steps == total
            stopped = agreed(accelerator, stop.asked is not None) and not whole
            account.settle(last=stopped or whole)
            if stopped:
                break
            account.look()
    early = stop.asked if account.steps < total else None
    return Outcome(training.state.ema.network, account.steps, early, account.line, log.seconds)
