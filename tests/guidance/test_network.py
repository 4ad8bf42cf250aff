"""How a network is called, and how its output is read."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import lodestar
from asking import Classified, Universal
from lodestar.conditions import Label
from lodestar.core import Kind, Level, Prediction, Step, convert
from lodestar.errors import UsageError
from lodestar.guidance import Network, guide
from lodestar.oracle import GaussianMixture
from lodestar.process import DDPM, EDM, Cosine, Flow, Process, levels
from lodestar.samplers.ddim import ddim
from lodestar.samplers.heun import heun

ORACLE = GaussianMixture.random(6, 3, torch.Generator().manual_seed(1))
X = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CLASSES = torch.tensor([0, 1, 2, 1])
NULL = torch.tensor([3])  # as an embedding with one row more has it


def labels(c: Tensor) -> Label:
    return Label(torch.where(c == 3, -1, c))


# Networks as others write them: of (x, t, c), each with its own idea of t.


def of_steps(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
    """eps of a network that looks its t up in a table of 1000 rows."""
    alpha = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0).sqrt()[t.long()]
    assert torch.equal(t, t.round())
    return ORACLE(x, level_of(alpha, (1 - alpha**2).sqrt()), labels(c)).eps


def of_sigma(x: Tensor, sigma: Tensor, c: Tensor) -> Tensor:
    """x0, EDM's D(x; sigma, c)."""
    return ORACLE(x, level_of(torch.ones_like(sigma), sigma), labels(c)).x0


def of_flow(x: Tensor, s: Tensor, c: Tensor) -> Tensor:
    """eps - x0 at x = (1 - s) x0 + s eps."""
    p = ORACLE(x, level_of(1 - s, s), labels(c))
    return p.eps - p.x0


def of_lam(x: Tensor, lam: Tensor, c: Tensor) -> Tensor:
    """v of a network that is told log SNR."""
    at = level_of(torch.sigmoid(lam).sqrt(), torch.sigmoid(-lam).sqrt())
    return ORACLE(x, at, labels(c)).v(at)


def level_of(alpha: Tensor, sigma: Tensor) -> Level:
    return Level(alpha.double(), sigma.double(), torch.full_like(alpha, torch.nan), torch.full_like(sigma, torch.nan))


BARE: list[tuple[Process, Kind, Callable, str]] = [
    (DDPM(), "eps", of_steps, "trailing"),
    (DDPM(), "eps", of_steps, "leading"),
    (EDM(), "x0", of_sigma, "u"),
    (Flow(), "flow", of_flow, "u"),
    (Cosine(), "v", of_lam, "u"),
]


@pytest.mark.parametrize(("process", "kind", "network", "grid"), BARE, ids=[f"{b[0]}-{b[3]}" for b in BARE])
@pytest.mark.parametrize("sampler", [ddim, heun])
def test_one_line_samples_a_bare_network(process, kind, network, grid, sampler):
    """As the same sampler does from the oracle, which needs to be told nothing but the level."""
    visited = levels(process, 8, grid)
    x = visited[0].sigma * X
    found = sampler(
        lodestar.guide("cfg(2)", network, CLASSES, kind=kind, process=process, named={"null": NULL}), x, visited
    )
    expected = sampler(guide("cfg(2)", ORACLE, Label(CLASSES)), x, visited)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_example_in_the_docstring_runs():
    code = inspect.getdoc(guide).partition("Args:")[0].partition("\n")[2]
    names = {"lodestar": lodestar, "network": of_steps, "classes": CLASSES, "null": NULL, "noise": X}
    exec(inspect.cleandoc(code), names)
    assert names["x"].shape == X.shape
    assert names["denoise"].evaluations == 50 * 8


def test_a_shifted_flow_tells_its_network_what_there_is_not_where_the_grid_stands():
    """The shift says which s are visited and how fast; the network knows none of it. Its d_alpha is -ds/du."""
    process = Flow(shift=3.0)
    at = Step(process.level(torch.tensor(0.5)))
    assert float(at.level.sigma) == pytest.approx(0.75)
    g = guide("cfg(1)", lambda x, s, c: s.reshape(-1, 1, 1) + 0 * x, CLASSES, kind="eps", process=process)
    assert torch.equal(g(X, at).eps, torch.full_like(X, 0.75))


@pytest.mark.parametrize("process", [DDPM(), EDM(), Flow(), Cosine()], ids=str)
@pytest.mark.parametrize(
    ("dtype", "told"), [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.float16, torch.float32)]
)
def test_t_is_one_number_a_row_in_fp32_or_better(process, dtype, told):
    seen = []

    def network(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        seen.append((t.shape, t.dtype, x.dtype))
        return x

    g = guide("cfg(4)", network, CLASSES, kind="x0", process=process, named={"null": NULL})
    for u in (torch.tensor(0.3), torch.tensor([0.3, 0.5, 0.7, 0.9])):
        g(X.to(dtype), Step(process.level(u)))
    assert seen == [((8,), told, dtype)] * 2


def test_a_network_without_a_condition_is_called_with_two():
    g = guide("cfg(4)", lambda x, t: x / 2, kind="x0", process=Flow())
    assert torch.equal(g(X, Step(Flow().level(torch.tensor(0.5)))).x0, X / 2)
    assert g.evaluations == 4


def test_a_module_and_its_encoder():
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 3)

        def encode(self, c: Tensor) -> Tensor:
            return torch.nn.functional.one_hot(c, 4).float()

        def forward(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
            return self.layer(x) + (t + c.argmax(1)).reshape(-1, 1, 1)

    net, at = Net(), Step(Flow().level(torch.tensor(0.5)))
    found = guide("cfg(3)", net, CLASSES, kind="x0", process=Flow(), named={"null": NULL})(X.float(), at).x0
    expected = net.layer(X.float()) + 0.5 + (3 + 3 * (CLASSES - 3)).reshape(-1, 1, 1)
    torch.testing.assert_close(found, expected)


def log_p(x: Tensor, lam: Tensor, c: Tensor) -> Tensor:
    at = level_of(torch.sigmoid(lam).sqrt(), torch.sigmoid(-lam).sqrt())
    return ORACLE.log_density(x, at, c) - ORACLE.log_density(x, at)


def test_log_densities_are_told_the_noise_as_the_network_is():
    at = Step(Cosine().level(torch.tensor(0.5)))
    options = {"kind": "v", "process": Cosine(), "named": {"null": NULL}, "gradients": {"classifier": log_p}}
    found = guide(Classified(), of_lam, CLASSES, **options)(X, at)
    torch.testing.assert_close(found.x0, ORACLE(X, at.level, Label(CLASSES)).x0)


@pytest.mark.parametrize(
    ("process", "clean"), [(DDPM(), 0.0), (EDM(), 0.002), (Flow(), 0.0), (Cosine(), 20.0)], ids=str
)
def test_of_a_clean_sample_a_log_density_is_told_the_least_noise_of_the_process(process, clean):
    told = []

    def classifier(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        told.append(t)
        return -(x**2).flatten(1).sum(1)

    options = {"kind": "x0", "process": process, "gradients": {"classifier": classifier}}
    guide(Universal(), lambda x, t, c: x / 2, CLASSES, **options)(X, Step(process.level(torch.tensor(0.5))))
    torch.testing.assert_close(told, [torch.full((4,), clean, dtype=torch.float64)], rtol=1e-6, atol=1e-6)


@dataclass
class Model:
    process: Process

    def __call__(self, x: Tensor, level: Level, c: object) -> Prediction:
        return convert("x0", x / 2, x, level)


@dataclass(frozen=True)
class Timeless:
    def level(self, u: Tensor) -> Level:
        return Flow().level(u)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (of_flow, {"kind": "velocity", "process": Flow()}, "unknown kind 'velocity'"),
        (
            of_flow,
            {"kind": "flow", "process": Timeless()},
            r"^Timeless\(\) has no timestep\(level\), which says what a",
        ),
        (Model(Flow()), {"process": Flow()}, "^the network knows its own process: leave process out"),
        (of_flow, {"process": Flow()}, "the network returns a Tensor: say kind="),
        (lambda *a: (of_flow(*a),), {"kind": "flow", "process": Flow()}, "returns a tuple: let it be a tensor, or"),
        (lambda *a: of_flow(*a)[:1], {"kind": "flow", "process": Flow()}, r"returns \[1, 2, 3\] for x \[4, 2, 3\]:"),
        (lambda *a: {"sample": of_flow(*a)}, {"kind": "flow", "process": Flow()}, "'main': .*there are sample"),
    ],
)
def test_mistakes_are_named(network, options, message):
    with pytest.raises(UsageError, match=message):
        guide("cfg(1)", network, CLASSES, **options)(X, Step(Flow().level(torch.tensor(0.5))))


def test_a_network_may_come_with_its_own_kind_and_process():
    at = Step(Flow().level(torch.tensor(0.5)))
    own = guide("cfg(1)", Network(of_flow, "flow", Flow()), CLASSES)(X, at)
    assert torch.equal(own.x0, guide("cfg(1)", of_flow, CLASSES, kind="flow", process=Flow())(X, at).x0)
    assert torch.equal(guide("cfg(1)", Network(Model(Flow())), CLASSES)(X, at).x0, X / 2)


@pytest.mark.parametrize("rule", ["cfg(1)", "cfg(2)"])
def test_a_network_may_change_its_input_in_place(rule):
    at, x = Step(Flow().level(torch.tensor(0.5))), X.clone()
    found = guide(rule, lambda x, s, c: x.mul_(2), CLASSES, kind="flow", process=Flow(), named={"null": NULL})(x, at)
    expected = convert("flow", 2 * X, X, at.level)
    assert torch.equal(x, X)
    torch.testing.assert_close(found.x0, expected.x0)
