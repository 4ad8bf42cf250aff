"""What every figure needs of matplotlib: that it is there, and its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check(what: str, extra: str) -> None:
    """Raise UsageError where there is nothing to draw with, with the extra that brings it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError(f"{what} need matplotlib: pip install 'lodestar-diffusion[{extra}]'") from None


def pixels(figure: Figure) -> Tensor:
    """uint8 [H, W, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    return torch.from_numpy(np.asarray(drawn.buffer_rgba())[..., :3].copy())
