"""Inception score of class probabilities. Salimans et al. 2016, arXiv:1606.03498, sec. 4.

    IS = exp mean_x KL(p(y | x) || p(y))        1: every picture says the same, at most the number of classes

The mean over splits, each with its own p(y) (the paper's 10 of 5,000 pictures): fewer pictures in a split, a lower
score. It knows no real pictures: Barratt & Sharma 2018, arXiv:1801.01973.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from .parts import Parts
from .rows import check_rows

SPLITS, SEED = 10, 2020  # torch-fidelity's


class InceptionScore(Parts):
    """The score of each split."""


def inception_score(logits: Tensor, splits: int = SPLITS, seed: int | None = SEED) -> InceptionScore:
    """IS of logits, or log probabilities, [N, K], shuffled as torch-fidelity does, or with no seed in order.

    Raises UsageError for fewer pictures than splits.
    """
    n = len(check_rows(logits, splits, "logits"))
    if splits < 1:
        raise UsageError(f"there must be at least 1 split, got {splits}")
    order = torch.arange(n) if seed is None else torch.from_numpy(np.random.RandomState(seed).permutation(n))
    log_p = logits[order.to(logits.device)].double().log_softmax(1)
    return InceptionScore(tuple(_score(log_p[i * n // splits : (i + 1) * n // splits]) for i in range(splits)))


def _score(log_p: Tensor) -> float:
    marginal = log_p.logsumexp(0) - np.log(len(log_p))
    return float((log_p.exp() * (log_p - marginal)).sum(1).mean().exp())
