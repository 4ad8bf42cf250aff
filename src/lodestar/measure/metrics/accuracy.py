"""Class accuracy: the share of samples that a classifier takes for the class they were asked to be.

Ravuri & Vinyals 2019, arXiv:1905.10887, turned round: there a classifier learns from samples, here it judges them. It
can be no better than the classifier, whose own accuracy on real pictures belongs beside it; and it rises with guidance
long after pictures have stopped to improve.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import UsageError


def right(logits: Tensor, classes: Tensor, top: int = 1) -> Tensor:
    """Whether, bool [B], the class asked for, int64 [B], is among the `top` likeliest of logits [B, K]."""
    if logits.ndim != 2 or classes.shape != logits.shape[:1]:
        raise UsageError(f"accuracy takes logits [B, K], classes [B], got {list(logits.shape)}, {list(classes.shape)}")
    most = logits.shape[1] - 1
    if classes.is_floating_point() or bool(((classes < 0) | (classes > most)).any()):
        raise UsageError(f"classes must be whole numbers from 0 to {most}")
    return (logits.topk(top, 1).indices == classes.to(logits.device)[:, None]).any(1)


def class_accuracy(logits: Tensor, classes: Tensor, top: int = 1) -> float:
    """The share that is `right`. Raises UsageError for no samples."""
    if not len(logits):
        raise UsageError("class accuracy takes at least one sample, got none")
    return float(right(logits, classes, top).to(torch.float64).mean())
