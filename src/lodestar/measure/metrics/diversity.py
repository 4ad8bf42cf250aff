"""Diversity within a prompt: how unlike each other the pictures of one prompt are.

    1 - mean over pairs of cos(x_i, x_j)        0: all alike

One minus the mean similarity score of Sadat et al. 2023, arXiv:2310.17347, sec. 5, who use SSCD's features; the mean
over prompts. Recall sees when whole kinds of pictures are gone, this when each prompt has only one left.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...errors import UsageError
from .rows import check_rows


def diversity(features: Tensor, prompts: Tensor) -> Tensor:
    """Of each prompt float64 [P], in ascending order of the numbers int64 [N] that say whose the features [N, D] are.

    Raises UsageError where a prompt has a single picture.
    """
    if prompts.shape != check_rows(features).shape[:1]:
        raise UsageError(f"every picture has the number of its prompt: {len(features)} and {list(prompts.shape)}")
    _, where, counts = prompts.to(features.device).unique(return_inverse=True, return_counts=True)
    if int(counts.min()) < 2:
        raise UsageError("diversity within a prompt takes at least 2 pictures of each")
    unit = normalize(features.double(), dim=1)
    sums = unit.new_zeros(len(counts), unit.shape[1]).index_add_(0, where, unit)
    own = unit.new_zeros(len(counts)).index_add_(0, where, unit.square().sum(1))  # 1 for each that is not zero
    pairs = counts.to(torch.float64) * (counts - 1)
    return 1 - (sums.square().sum(1) - own) / pairs
