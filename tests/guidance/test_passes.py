"""Too little memory: passes are halved, results and counts are not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from asking import Classified, Measured, OfNet
from lodestar.conditions import Label
from lodestar.core import Level, Step
from lodestar.guidance import guide
from lodestar.guidance.passes import Passes
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine

ORACLE = GaussianMixture.random(6, 3, torch.Generator().manual_seed(1))
X = torch.randn(8, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = Label(torch.arange(8) % 3)
AT = Step(Cosine().level(torch.tensor(0.5, dtype=torch.float64)))


class Full:
    """The oracle on a device with memory for so many rows; forward, and by autograd back."""

    def __init__(self, rows: int, back: int | None = None) -> None:
        self.rows, self.back = rows, back
        self.sizes: list[int] = []

    def __call__(self, x: Tensor, level: Level, labels: Label) -> Tensor:
        self.sizes.append(len(x))
        fits(len(x), self.rows)
        if x.requires_grad and self.back is not None:
            x = Backward.apply(x, self.back)
        return ORACLE(x, level, labels).eps


class Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, most: int) -> Tensor:
        ctx.most = most
        return x.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        fits(len(grad), ctx.most)
        return grad, None


def fits(rows: int, most: int) -> None:
    if rows > most:
        raise torch.OutOfMemoryError(f"no memory for {rows} rows")


def run(rule: object, net: Callable, **options: object) -> tuple[Tensor, Tensor]:
    g = guide(rule, net, LABELS, kind="eps", **options)
    p = g(X, AT)
    run.tally = g.tally
    return p.x0, p.eps


def same(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("most", "n", "fit", "sizes", "after"),
    [
        (None, 8, 8, [8], None),
        (None, 8, 3, [2, 2, 2, 2], 2),
        (None, 7, 4, [4, 3], 4),
        (5, 8, 5, [4, 4], 5),
        (3, 7, 3, [3, 2, 2], 3),
        (None, 5, 1, [1, 1, 1, 1, 1], 1),
        (None, 0, 1, [], None),
    ],
)
def test_passes_are_even_and_as_few_as_memory_allows(most, n, fit, sizes, after):
    passes = Passes(most)

    def one(rows: slice) -> range:
        fits(rows.stop - rows.start, fit)
        return range(n)[rows]

    done = passes(n, one)
    assert [len(r) for r in done] == sizes
    assert [i for r in done for i in r] == list(range(n))
    assert passes.most == after


def test_memory_that_shrinks_on_the_way_loses_nothing():
    fit = iter([4, 1, 1, 1, 1, 1, 1])

    def one(rows: slice) -> range:
        fits(rows.stop - rows.start, next(fit))
        return range(8)[rows]

    assert [len(r) for r in Passes(4)(8, one)] == [4, 1, 1, 1, 1]


@pytest.mark.parametrize("most", [7, 4, 3, 1])
def test_too_little_memory_changes_only_the_passes(most):
    whole = run("cfg(4)", Full(16))
    net = Full(most)
    same(run("cfg(4)", net), whole)
    assert run.tally.evaluations == 16
    assert run.tally.calls == sum(size <= most for size in net.sizes)


def test_what_fits_is_remembered_over_the_trajectory_and_for_that_network_alone():
    main, weak = Full(3), Full(16)
    g = guide(OfNet(2.0), main, LABELS, kind="eps", nets={"weak": weak})
    for _ in range(2):
        main.sizes.clear(), weak.sizes.clear()
        running = g.begin()
        running(X, AT), running(X, AT)
        assert main.sizes == [8, 4, *[2] * 8]
        assert weak.sizes == [8, 8]
        assert (g.evaluations, g.calls) == (32, 10)


@pytest.mark.parametrize(
    ("net", "options", "forward"),
    [
        (Full(8, 8), {}, 8),
        (Full(8), {"max_rows": 3}, 16),  # what is split is run again on the way back
        (Full(3), {}, 16),
        (Full(8, 3), {}, 20),  # 8, no memory back for 8 nor for the first 4 of them, 8 in four passes
        (Full(1), {}, 16),
    ],
)
def test_the_way_back_is_split_as_well(net, options, forward):
    whole = run(Measured(), Full(8))
    assert (run.tally.evaluations, run.tally.backwards, run.tally.calls) == (8, 8, 1)
    same(run(Measured(), net, **options), whole)
    assert (run.tally.evaluations, run.tally.backwards) == (forward, 8)


def test_split_passes_are_differentiable():
    x, y = X.clone().requires_grad_(), X.clone().requires_grad_()
    guide(Measured(), Full(8), LABELS, kind="eps")(x, AT).x0.sum().backward()
    guide(Measured(), Full(3), LABELS, kind="eps")(y, AT).x0.sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_gradients_are_split():
    sizes = []

    def classifier(x: Tensor, level: Level, labels: Label) -> Tensor:
        sizes.append(len(x))
        fits(len(x), 5)
        return ORACLE.log_density(x, level, labels.index) - ORACLE.log_density(x, level)

    found = run(Classified(), Full(8), gradients={"classifier": classifier})
    p = ORACLE(X, AT.level, LABELS)
    same(found, (p.x0, p.eps))
    assert sizes == [8, 4, 4]
    assert (run.tally.gradients, run.tally.calls) == (8, 1)


def test_no_memory_for_a_single_row_and_other_errors_are_raised():
    with pytest.raises(torch.OutOfMemoryError, match="no memory for 1 rows"):
        run("cfg(4)", Full(0))

    def broken(x: Tensor, level: Level, labels: Label) -> Tensor:
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        run("cfg(4)", broken)
