"""Muon: momentum whose every matrix is made orthogonal before it is a step.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", kellerjordan.github.io/posts/muon:

    m <- beta m + (1 - beta) g,   step = -lr max(1, rows / columns)^(1/2) orthogonalised((1 - beta) g + beta m)

Convolution kernels count as matrices [out, in k k]. What is no hidden matrix (biases, gains, embeddings, the first and
the last layer) is trained by AdamW. torch.optim.Muon refuses kernels and does without the second half, hence this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

MOMENTUM = 0.95  # the authors'
ROUNDS = 5  # Newton-Schulz iterations
A, B, C = 3.4445, -4.7750, 2.0315  # the authors' quintic: fast from small singular values, and then within [0.7, 1.2]


class Muon(AdamW):
    """Groups with `orthogonal` set are Muon's; the others are AdamW's."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, lr=lr, betas=betas, weight_decay=0.0, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        groups = self.param_groups
        for group in groups:
            if group.get("orthogonal"):
                for parameter in group["params"]:
                    self._turn(parameter, group)
        self.param_groups = [g for g in groups if not g.get("orthogonal")]
        loss = super().step(closure)
        self.param_groups = groups
        return loss

    def _turn(self, parameter: Tensor, group: dict[str, Any]) -> None:
        if parameter.grad is None:
            return
        state = self.state[parameter]
        if not state:  # AdamW counts steps and refuses a saved state without the count
            state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(parameter)}
        momentum = state["momentum"]
        momentum.lerp_(parameter.grad, 1 - MOMENTUM)
        step = orthogonalised(parameter.grad.lerp(momentum, MOMENTUM).flatten(1))
        rows, columns = step.shape
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(step.reshape(parameter.shape), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix [R, C] with singular values about 1, by Newton-Schulz."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)  # A x + (B G + C G G) x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def hidden(network: nn.Module) -> list[nn.Parameter]:
    """The matrices and kernels between the first layer and the last ones, which carry the names `stem` and `head`."""
    embeddings = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
    return [
        p
        for name, p in network.named_parameters()
        if p.requires_grad and id(p) not in embeddings and name.endswith("weight") and p.ndim > 1
        and not {"stem", "head"} & {*name.split(".")}
    ]  # fmt: skip
