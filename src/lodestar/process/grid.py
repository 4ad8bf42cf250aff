"""The levels that a sampler visits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..core import Level
from ..errors import UsageError, unknown
from .process import Process

LAM_LIMIT = 20.0  # log SNR; where a process has no end of its own, a grid in lam ends as the CFG paper's process does


def levels(process: Process, steps: int, grid: str = "u") -> list[Level]:
    """steps + 1 levels from noise to exactly clean (alpha 1, sigma 0): the denoiser is asked at all but the last.

    Args: grid: "u", uniform in the process's own time, or "lam", uniform in log SNR. A process that is itself clean at
    u = 0 (flow) gives that as its last level; one that is not (cosine) visits u = 0 and then jumps to clean, as
    Algorithm 2 of the CFG paper does. Raises UsageError on steps below 1 and on an unknown grid.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise UsageError(f"steps must be a whole number of at least 1, got {steps}")
    if grid not in GRIDS:
        raise unknown("grid", grid, GRIDS)
    return [process.level(u) for u in GRIDS[grid](process, steps)] + [_clean(process)]


def _uniform_u(process: Process, steps: int) -> Tensor:
    """u from 1, without the end where that is the clean level itself."""
    if bool(process.level(_U0).sigma == 0):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1]
    return torch.linspace(1, 0, steps, dtype=torch.float64)


def _uniform_lam(process: Process, steps: int) -> Tensor:
    """u at equal distances of lam between the ends, or between -LAM_LIMIT and LAM_LIMIT where they are infinite."""
    lo, hi = (_finite(process.level(u).lam) for u in (_U1, _U0))
    return process.u_of(torch.linspace(lo, hi, steps, dtype=torch.float64)).clamp(0, 1)


def _finite(lam: Tensor) -> float:
    return lam.item() if lam.isfinite() else float(lam.sign()) * LAM_LIMIT


def _clean(process: Process) -> Level:
    return replace(process.level(_U0), alpha=torch.ones_like(_U0), sigma=torch.zeros_like(_U0))


_U0, _U1 = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
GRIDS: dict[str, Callable[[Process, int], Tensor]] = {"u": _uniform_u, "lam": _uniform_lam}
