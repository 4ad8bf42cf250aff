"""Which number format a network's forward pass runs in, and in training which is the faster, by measuring it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import perf_counter
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
Choice = Literal["auto", "fp32", "bf16"]
CHOICES: tuple[Choice, ...] = ("auto", *PRECISIONS)


def choose(precision: Choice, device: torch.device) -> Precision:
    """The precision asked for; for "auto", the faster one on this device."""
    return faster(device) if precision == "auto" else precision


def faster(device: torch.device, repeats: int = 5) -> Precision:
    """Times a small convolution in both, cast included as in training; bf16 must win by a fifth."""
    x = torch.ones(32, 64, 16, 16, device=device).to(memory_format=torch.channels_last)
    weight = torch.ones(64, 64, 3, 3, device=device).to(memory_format=torch.channels_last)
    seconds = {p: _seconds(partial(_product, x, weight, p), device, repeats) for p in ("fp32", "bf16")}
    return "bf16" if seconds["bf16"] < 0.8 * seconds["fp32"] else "fp32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """bf16 for products and convolutions inside; weights, norms, losses and the optimizer stay in fp32.

    fp32 is so inside of somebody else's autocast too.
    """
    if precision == "fp32" and not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def _product(x: Tensor, weight: Tensor, precision: Precision) -> Tensor:
    with torch.no_grad(), autocast(x.device, precision):
        return F.conv2d(x, weight, padding=1)


def _seconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The shortest of several times, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = perf_counter()
        for _ in range(4):
            run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(perf_counter() - start)
    return min(times[1:])
