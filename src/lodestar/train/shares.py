"""How the batch of a step is shared out: among processes, and among the parts that one process works off in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ..data import Batch
from ..errors import UsageError

if TYPE_CHECKING:
    from accelerate import Accelerator


def shares(batch: Batch, accumulate: int, accelerator: Accelerator) -> Iterator[tuple[Batch, int]]:
    """This process's parts of a batch, each with the place of its first sample in the whole batch."""
    process, processes = accelerator.process_index, accelerator.num_processes
    size, rest = divmod(len(batch.images), accumulate * processes)
    if rest or not size:
        raise UsageError(f"a batch of {len(batch.images)} does not divide into {accumulate} x {processes} equal parts")
    for part in range(process * accumulate, (process + 1) * accumulate):
        yield batch[part * size : (part + 1) * size], part * size


def clipped(accelerator: Accelerator, network: nn.Module, clip: float) -> Tensor:
    """The gradient of the whole batch: its mean over the processes, clipped once. The norm [] before is returned."""
    parameters = [p for p in network.parameters() if p.grad is not None]
    if accelerator.num_processes > 1:
        for parameter in parameters:
            parameter.grad = accelerator.reduce(parameter.grad, "mean")
    return clip_grad_norm_(parameters, clip or math.inf).detach()


def agreed(accelerator: Accelerator, wish: bool) -> bool:
    """Whether any process wishes it, so that all of them do the same."""
    if accelerator.num_processes == 1:
        return wish
    from accelerate.utils import gather_object

    return any(gather_object([wish]))
