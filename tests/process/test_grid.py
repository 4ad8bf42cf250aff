"""Level grids: how many, where they begin, that they end clean."""

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.process import GRIDS, Cosine, Flow, Process, levels

PROCESSES = [Cosine(), Cosine(-5.0, 8.0), Flow(), Flow(3.0)]


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("process", PROCESSES, ids=str)
def test_steps_and_one_more_down_to_clean(process: Process, grid: str, steps: int) -> None:
    found = levels(process, steps, grid)
    lam = torch.stack([level.lam for level in found])
    assert len(found) == steps + 1
    assert (lam.diff() > 0).all()
    assert found[-1].alpha == 1
    assert found[-1].sigma == 0
    assert all(level.sigma > 0 and level.alpha.ndim == 0 for level in found[:-1])


def test_cosine_visits_both_its_ends_as_the_paper_does() -> None:
    lam = [level.lam.item() for level in levels(Cosine(), 5)]
    assert lam[0] == pytest.approx(-20)
    assert lam[2] == pytest.approx(0, abs=1e-9)
    assert lam[4] == pytest.approx(20)


def test_flow_is_uniform_in_u_from_pure_noise() -> None:
    assert [level.sigma.item() for level in levels(Flow(), 4)] == [1, 0.75, 0.5, 0.25, 0]


@pytest.mark.parametrize("process", PROCESSES, ids=str)
def test_lam_grid_is_uniform_and_finite(process: Process) -> None:
    lam = torch.stack([level.lam for level in levels(process, 6, "lam")[:-1]])
    assert torch.allclose(lam.diff(), lam.diff()[0].expand(5), atol=1e-6)
    assert lam[0] >= -20.000001
    assert lam[-1] <= 20.000001


@pytest.mark.parametrize("steps", [0, -1, 2.0, True])
def test_refuses_steps_that_are_none(steps: int) -> None:
    with pytest.raises(UsageError, match="steps must be a whole number"):
        levels(Flow(), steps)


def test_refuses_an_unknown_grid() -> None:
    with pytest.raises(UsageError, match="did you mean 'lam'"):
        levels(Flow(), 3, "lamb")
