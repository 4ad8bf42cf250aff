"""A matrix' product with its own transpose.

On the CPU by numpy, which knows that it is symmetric and has BLAS compute one half of it (syrk); torch computes both.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gram(rows: Tensor) -> Tensor:
    """rows^T rows [D, D] of rows [N, D], symmetric to the last bit."""
    if rows.device.type != "cpu":
        half = (rows.T @ rows).triu()
        return half + half.triu(1).T
    columns = rows.numpy()
    return torch.from_numpy(columns.T @ columns)
