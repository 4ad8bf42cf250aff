"""What every metric asks of features: rows of finite floats, [N, D], as many columns in both sets."""

from __future__ import annotations

from torch import Tensor

from ...errors import UsageError


def check_rows(features: Tensor, least: int = 1, what: str = "features") -> Tensor:
    """The features [N, D], as given. Raises UsageError for another shape or type, nan, and fewer rows than `least`."""
    if features.ndim != 2 or not features.is_floating_point():
        raise UsageError(f"{what} must be floats [N, D], got {features.dtype} {list(features.shape)}")
    if not features.shape[1]:
        raise UsageError(f"{what} must have at least 1 column, got {list(features.shape)}")
    if len(features) < least:
        raise UsageError(f"{what} must have at least {least} rows, got {len(features)}: give more samples")
    if not bool(features.sum().isfinite()) and not bool(features.isfinite().all()):  # a sum is finite at less cost
        row = int((~features.isfinite()).any(1).nonzero()[0])
        raise UsageError(f"{what} must be finite, and row {row} is not: look at the sample, or at the detector")
    return features


def check_pair(a: Tensor, b: Tensor, least: int = 1) -> None:
    """Two sets of features that can be compared. Raises UsageError where they cannot."""
    check_rows(a, least)
    check_rows(b, least)
    if a.shape[1] != b.shape[1]:
        raise UsageError(f"features of two detectors cannot be compared: {a.shape[1]} and {b.shape[1]} columns")
