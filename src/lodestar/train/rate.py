"""The learning rate of a step, as a function of the step alone: nothing to save, nothing to resume.

Linear warm-up, then constant, or down to `lr_end`: in a straight line, in half a cosine (Loshchilov & Hutter 2017,
arXiv:1608.03983, eq. 5), or constant first and in a straight line over the last `cooldown` of the run ("wsd", Hu et al.
2024, arXiv:2404.06395), which is the one that a run can be made longer with.
"""

from __future__ import annotations

import math

from torch.optim import Optimizer

from .config import TrainConfig


def rate(config: TrainConfig, step: int) -> float:
    """The learning rate of this step, counted from 0."""
    rise = min(1.0, (step + 1) / max(1, config.warmup))
    return config.lr * rise * (config.lr_end + (1 - config.lr_end) * _decay(config, step))


def set_rate(optimizer: Optimizer, lr: float) -> None:
    """Set lr in every group; a group with an `lr_share` of its own gets that many times lr."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_share", 1.0)


def _decay(config: TrainConfig, step: int) -> float:
    """1 at the end of the warm-up, 0 at the end of the run."""
    done = max(0, step - config.warmup) / max(1, config.total - config.warmup)
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "wsd":
        return min(1.0, (1 - done) / config.cooldown) if config.cooldown else 1.0
    return 1 - done if config.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
