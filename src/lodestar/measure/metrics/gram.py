"""Products of which half is known before: panel by panel, and what is known is left out."""

from __future__ import annotations

import torch
from torch import Tensor

PANEL = 256  # columns


def gram(rows: Tensor) -> Tensor:
    """rows^T rows [D, D] of rows [N, D], symmetric to the last bit."""
    return mirrored(add_gram(rows.new_zeros(rows.shape[1], rows.shape[1]), rows))


def add_gram(upper: Tensor, rows: Tensor) -> Tensor:
    """Add it on and above the diagonal of `upper` [D, D], in place; what is below means nothing."""
    for at in range(0, len(upper), PANEL):
        panel = upper[at : at + PANEL, at:]
        torch.addmm(panel, rows[:, at : at + PANEL].T, rows[:, at:], out=panel)
    return upper


def mirrored(upper: Tensor) -> Tensor:
    """Copy what is above the diagonal to below it, in place."""
    for at in range(0, len(upper), PANEL):
        end = at + PANEL
        upper[end:, at:end] = upper[at:end, end:].T
        square = upper[at:end, at:end]
        square.copy_(square.triu() + square.triu(1).T)
    return upper


def lower_product(a: Tensor, b: Tensor) -> Tensor:
    """a^T b [K, L] of a [D, K] and b [D, L], both 0 above the diagonal."""
    out = a.new_empty(a.shape[1], b.shape[1])
    for at in range(0, len(out), PANEL):
        torch.mm(a[at:, at : at + PANEL].T, b[at:], out=out[at : at + PANEL])
    return out
