"""Products of which half is known before, at about half of the cost."""

from __future__ import annotations

import torch
from torch import Tensor

PANEL = 256  # columns


def gram(rows: Tensor) -> Tensor:
    """rows^T rows [D, D] of rows [N, D], symmetric to the last bit."""
    if rows.device.type == "cpu":
        given = rows.numpy()
        return torch.from_numpy(given.T @ given)  # numpy knows: BLAS' syrk
    product = rows.T @ rows
    return product.triu() + product.triu(1).T


def lower_product(a: Tensor, b: Tensor) -> Tensor:
    """a^T b [K, L] of a [D, K] and b [D, L], both 0 above the diagonal: panel by panel, without the zeros above."""
    out = a.new_empty(a.shape[1], b.shape[1])
    for at in range(0, len(out), PANEL):
        torch.mm(a[at:, at : at + PANEL].T, b[at:], out=out[at : at + PANEL])
    return out
