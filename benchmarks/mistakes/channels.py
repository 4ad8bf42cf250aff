"""Three of four channels guided: GLIDE's first three are all its picture has, a latent's are not.

Two classes that differ by the same in all four channels. However strongly they are told apart, p(x | c)^s p(x)^(1 - s)
differs from p(x | c) along that difference alone: across it, nothing may move.
"""

from __future__ import annotations

import torch
from torch import Tensor

import lodestar
from lodestar.core import Denoise, generator
from lodestar.figure.mixture import Together
from lodestar.oracle import GaussianMixture, w1
from lodestar.process import levels
from lodestar.samplers.ddim import ddim

from .plane import PROCESS, Network, perfect
from .row import Row

CHANNELS, STD = 4, 0.5
MEANS = torch.tensor([[-0.5], [0.5]]).expand(2, CHANNELS)
MIXTURE = GaussianMixture(torch.ones(2), MEANS, STD**2 * torch.eye(CHANNELS).expand(2, -1, -1), torch.arange(2))
ACROSS = torch.tensor([1.0, 1.0, 1.0, -3.0], dtype=torch.float64) / 12**0.5
NULL = torch.tensor([2])


def three_channels(cond: Tensor, null: Tensor, scale: float) -> Tensor:
    guided = null[:, :3] + scale * (cond[:, :3] - null[:, :3])
    return torch.cat([guided, cond[:, 3:]], 1)


def measure(n: int) -> list[Row]:
    labels = torch.ones(n, dtype=torch.long)
    exact, again = (MIXTURE.sample(n, generator(seed), labels) for seed in (0, 1))
    rows = []
    for scale in (2.0, 4.0):
        wrong, right = (astray(x, exact) for x in both(labels, scale))
        rows.append(Row(f"scale {scale:g}: moved where nothing may move", wrong, right, astray(again, exact)))
    return rows


def astray(x: Tensor, exact: Tensor) -> float:
    """W1 across the difference of the classes."""
    return float(w1(x @ ACROSS, exact @ ACROSS))


def both(labels: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Samples [B, 4] with three channels guided and with all of them, from the same noise."""
    network = perfect(MIXTURE)

    def three(x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        return three_channels(network(x, t, labels), network(x, t, NULL.expand(len(x))), scale)

    wrong, right = _guided("cfg(1)", three, labels), _guided(f"cfg({scale})", network, labels)
    return drawn(wrong, len(labels)), drawn(right, len(labels))


def drawn(denoise: Denoise, n: int) -> Tensor:
    """Samples [n, 4] by DDIM, from the same noise every time."""
    start = Together(range(n)).normal(-1, 0, (CHANNELS,)).double()
    return ddim(denoise, start, levels(PROCESS, 20, "trailing"))


def _guided(rule: str, network: Network, labels: Tensor) -> Denoise:
    return lodestar.guide(rule, network, labels, kind="eps", process=PROCESS, named={"null": NULL})
