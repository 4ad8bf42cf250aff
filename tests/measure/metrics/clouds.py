"""Random features for tests."""

import torch
from torch import Tensor


def cloud(n: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0, dtype=torch.float64) -> Tensor:
    """Correlated normal features [N, D]: some directions have much less spread than others."""
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(dim, dim, generator=torch.Generator().manual_seed(99), dtype=torch.float64) / dim**0.5
    x = torch.randn(n, dim, generator=g, dtype=torch.float64) @ mix
    return (scale * x + shift).to(dtype)
