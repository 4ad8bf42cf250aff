"""A matrix' product with its own transpose: above the diagonal, panel by panel, and mirrored, at half of the cost."""

from __future__ import annotations

import torch
from torch import Tensor

PANEL = 256  # columns


def gram(rows: Tensor) -> Tensor:
    """rows^T rows [D, D] of rows [N, D], symmetric to the last bit."""
    out = rows.new_empty(rows.shape[1], rows.shape[1])
    for at in range(0, len(out), PANEL):
        end = at + PANEL
        torch.mm(rows[:, at:end].T, rows[:, at:], out=out[at:end, at:])
        out[end:, at:end] = out[at:end, end:].T
        square = out[at:end, at:end]
        square.copy_(square.triu() + square.triu(1).T)
    return out
