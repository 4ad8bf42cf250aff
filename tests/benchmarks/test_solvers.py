"""That samplers are compared at equal evaluations and against where the flow leads; not what is found."""

import pytest
import torch

from benchmarks import solvers
from lodestar.guidance import guide
from lodestar.oracle import GaussianMixture
from lodestar.process import EDM, Flow, levels
from lodestar.samplers import sampler

GAUSSIAN = GaussianMixture(torch.ones(1), torch.tensor([[0.7]]), torch.tensor([[[0.25]]]), torch.zeros(1).long())


@pytest.mark.parametrize("process", [Flow(), EDM()], ids=str)
def test_the_truth_is_the_flows(process):
    """One Gaussian is stretched to its own width: x0 = mean + std eps at the ends, near enough."""
    sigma = levels(process, 1)[0].sigma
    eps = torch.tensor([[-1.0], [0.0], [2.0]], dtype=torch.float64)
    spread = (process.level(torch.tensor(1.0)).alpha ** 2 * 0.25 + sigma**2).sqrt()
    x = process.level(torch.tensor(1.0)).alpha * 0.7 + spread * eps
    assert torch.allclose(solvers.flowed(guide("cfg(1)", GAUSSIAN), process, x, 60), 0.7 + 0.5 * eps, atol=1e-3)


@pytest.mark.parametrize(("name", "steps", "calls"), [("unipc", 5, 5), ("dpmpp_2m", 5, 5), ("heun", 3, 4)])
def test_a_sampler_takes_the_most_steps_that_its_evaluations_allow(monkeypatch, name, steps, calls):
    """Heun's four steps over a flow would be six evaluations."""
    monkeypatch.setattr(solvers, "flowed", lambda guided, process, x: x)
    tried = []

    def seen(guided, x, grid):
        x = sampler(name)(guided, x, grid)
        tried.append((len(grid) - 1, guided.calls))
        return x

    monkeypatch.setattr(solvers, "sampler", lambda name: seen)
    solvers.task(Flow(), "cfg(4)", 2, 0, 4).off(name, 5)
    assert tried[-1] == (steps, calls)
    assert all(calls > 5 for _, calls in tried[:-1])


def test_a_row_for_each_case_and_the_best_in_bold(monkeypatch):
    monkeypatch.setattr(solvers, "flowed", lambda guided, process, x: guided(x, solvers.Step(levels(process, 1)[0])).x0)
    found = list(solvers.rows(4, (1, 2), (Flow(),)))
    assert [row[:3] for row in found] == [("Flow", rule, n) for rule in solvers.RULES for n in (1, 2)]
    assert found[0][3] == dict.fromkeys(solvers.NAMES, 0.0)  # one step leads to the first x0, here taken for the truth
    text = "\n".join(solvers.lines(found))
    assert text.count("**0.0000** | **0.0000** |") == 4
    assert "`unipc` ends nearer than `dpmpp_2m` in 0 of 4 rows" in text
