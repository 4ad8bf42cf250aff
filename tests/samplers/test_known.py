"""A known part is kept exactly, and the rest goes with it."""

import pytest
import torch

from lodestar.core import Noise, Prediction, Step
from lodestar.oracle import GaussianMixture
from lodestar.process import EDM, Cosine, Flow, levels
from lodestar.samplers import SAMPLERS
from lodestar.samplers.known import Known

# Two clusters on the diagonal: who knows the first number knows which of them it is.
MEANS = torch.tensor([[-2.0, -2.0], [2.0, 2.0]])
ORACLE = GaussianMixture(torch.ones(2), MEANS, torch.eye(2).expand(2, 2, 2) * 0.05, torch.zeros(2, dtype=torch.int64))
N = 64
NOISE = Noise(range(N))
KNOWN = torch.tensor([[2.0, 0.0]] * (N // 2) + [[-2.1, 0.0]] * (N // 2), dtype=torch.float64)
MASK = torch.tensor([1.0, 0.0])


class Exact:
    begun = 0

    def begin(self) -> "Exact":
        self.begun += 1
        return self

    def __call__(self, x: torch.Tensor, at: Step) -> Prediction:
        return ORACLE(x, at.level)


@pytest.mark.parametrize("process", [Cosine(), Flow(), EDM()], ids=str)
@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"euler"}))  # which keeps to a curved path only roughly
def test_the_known_part_is_kept_and_the_rest_follows_it(name: str, process: Cosine | Flow | EDM) -> None:
    grid, inner = levels(process, 25), Exact()
    x = grid[0].sigma * NOISE.normal(-1, 0, (2,)).double()
    out = SAMPLERS[name](Known(inner, KNOWN, MASK), x, grid, noise=NOISE)
    assert inner.begun == 1
    assert torch.allclose(out[:, 0], KNOWN[:, 0], atol=1e-9)
    right = (out[:, 1].sign() == KNOWN[:, 0].sign()).double().mean()
    free = SAMPLERS[name](Exact(), x, grid, noise=NOISE)[:, 1].sign()
    assert right > 0.8  # what the free part begins with also has a say, above all where no noise is drawn
    assert (free == KNOWN[:, 0].sign()).double().mean() < 0.7


def test_the_pair_still_makes_x() -> None:
    level = Cosine().level(torch.tensor(0.4))
    x = NOISE.normal(-1, 0, (2,)).double()
    p = Known(Exact(), KNOWN, MASK)(x, Step(level))
    assert torch.allclose(level.alpha * p.x0 + level.sigma * p.eps, x, atol=1e-12)


def test_no_mask_changes_nothing() -> None:
    level, x = Flow().level(torch.tensor(0.5)), NOISE.normal(-1, 0, (2,)).double()
    p, plain = Known(Exact(), KNOWN, torch.zeros(2))(x, Step(level)), ORACLE(x, level)
    assert torch.equal(p.x0, plain.x0)
    assert torch.equal(p.eps, plain.eps)
