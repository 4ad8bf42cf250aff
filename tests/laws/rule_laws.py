"""The laws of guidance: functions of a rule that assert, listed in LAWS. `test_rules.py` holds every rule to them.

They run on networks of every kind made of the exact denoiser of a Gaussian mixture. Examples are the rules' own
defaults; wrappers go around each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import KINDS, Kind, Level, Prediction, Step
from lodestar.guidance import RULES, Guided, Rule, View, Wrapper, guide, parse, take
from lodestar.oracle import GaussianMixture
from lodestar.process import Cosine, Flow

B, CLASSES = 6, 3
ORACLE = GaussianMixture.random(6, CLASSES, torch.Generator().manual_seed(1))
X = torch.randn(B, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = Label(torch.tensor([0, 1, 2, 2, 1, 0]))
ORDER = torch.tensor([3, 0, 5, 1, 4, 2])


@dataclass
class Network:
    """The oracle as a network of one kind, with counts of its own."""

    kind: Kind
    rows: int = 0
    calls: int = 0

    def __call__(self, x: Tensor, level: Level, labels: Label) -> Tensor:
        self.rows, self.calls = self.rows + len(x), self.calls + 1
        return ORACLE.as_network(self.kind)(x, level, labels).to(x)


def cosine(*u: float) -> Level:
    return Cosine().level(_tensor(u))


def flow(*u: float) -> Level:
    return Flow().level(_tensor(u))


def _tensor(u: Sequence[float]) -> Tensor:
    return torch.tensor(u if len(u) > 1 else u[0], dtype=torch.float64)


LEVELS = [cosine(0.97), cosine(0.5), flow(0.5), flow(0.1)]  # above, in and below the default interval
ENDS = [cosine(1.0), flow(1.0), flow(1e-3)]
EACH = [cosine(0.97, 0.8, 0.5, 0.3, 0.15, 0.05), flow(0.05, 0.95, 0.3, 0.9, 0.5, 0.7)]  # one level for each sample


# Examples.


def examples() -> list[Rule]:
    """Every rule by its defaults, every wrapper around each, every wrapper around every wrapper."""
    plain: list[Rule] = [cls() for cls in RULES.values() if not issubclass(cls, Wrapper)]
    wrapped = [w(r) for w in wrappers() for r in plain]
    return plain + wrapped + [w(v(plain[0])) for w in wrappers() for v in wrappers()]


def wrappers() -> list[type[Wrapper]]:
    return [cls for cls in RULES.values() if issubclass(cls, Wrapper)]


def neutral(rule: Rule) -> Rule:
    """No guidance: the neutral values of the innermost rule, whatever is around it."""
    if isinstance(rule, Wrapper):
        return replace(rule, inner=neutral(rule.inner))
    return replace(rule, **rule.neutral)  # type: ignore[attr-defined, type-var]


def spread(rule: Rule) -> Rule:
    """The same rule with another value in every sample."""
    factors = torch.linspace(0.5, 1.25, B, dtype=torch.float64).tolist()
    each = {f.name: getattr(rule, f.name) for f in fields(rule)}  # type: ignore[arg-type]
    new = {k: [v * f for f in factors] for k, v in each.items() if isinstance(v, float)}
    return replace(rule, **new, **({"inner": spread(rule.inner)} if isinstance(rule, Wrapper) else {}))  # type: ignore


def bind(rule: Rule, kind: Kind = "v", labels: Label = LABELS) -> Guided:
    """The rule on the oracle; every condition it names is another class."""
    named = dict.fromkeys(names(rule), Label((labels.index + 1) % CLASSES))
    return guide(rule, Network(kind), labels, kind=kind, named=named)


def names(rule: Rule) -> set[str]:
    """The conditions that it asks for by name, wherever it stands."""
    return {a.replace for level in LEVELS for a in rule.asks(Step(level)).values() if a.replace}


def same(a: Prediction, b: Prediction) -> bool:
    return torch.equal(a.x0, b.x0) and torch.equal(a.eps, b.eps)


def close(a: Prediction, b: Prediction, tolerance: float = 1e-9) -> bool:
    return all(torch.allclose(p, q, tolerance, tolerance) for p, q in ((a.x0, b.x0), (a.eps, b.eps)))


def one(level: Level, i: int) -> Level:
    return level if level.alpha.ndim == 0 else Level(*(f[i] for f in level._fields()))


# The laws.

LAWS: dict[str, Callable[[Rule], None]] = {}


def law(f: Callable[[Rule], None]) -> Callable[[Rule], None]:
    LAWS[f.__name__] = f
    return f


@law
def shape_dtype_finite(rule: Rule) -> None:
    for kind in KINDS:
        for x in (X, X.float()):
            for level in [*LEVELS, *EACH, *(ENDS if kind != "eps" else ())]:
                p = bind(rule, kind)(x, Step(level))
                assert p.x0.shape == p.eps.shape == x.shape
                assert p.x0.dtype == p.eps.dtype == x.dtype
                assert p.x0.isfinite().all()
                assert p.eps.isfinite().all()


@law
def no_leak_across_the_batch(rule: Rule) -> None:
    """Other neighbours in another order, the same samples."""
    for r in (rule, spread(rule)):
        for level in (*LEVELS[:2], *EACH):
            whole = bind(r)(X, Step(level))
            moved = bind(take(r, ORDER.tolist()), labels=LABELS[ORDER])(X[ORDER], Step(level[ORDER]))
            assert close(whole[ORDER], moved)
            disturbed = torch.cat([X[:3], 100 + X[3:]])
            assert close(whole[:3], bind(r)(disturbed, Step(level))[:3])


@law
def cond_equal_to_null_changes_nothing(rule: Rule) -> None:
    for kind in KINDS:
        for level in (*LEVELS, *EACH):
            nothing = guide(rule, Network(kind), LABELS, kind=kind, named=dict.fromkeys({"null"} | names(rule), LABELS))
            assert close(nothing(X, Step(level)), ORACLE(X, level, LABELS))


@law
def neutral_is_the_base_exactly(rule: Rule) -> None:
    for kind in KINDS:
        for level in LEVELS:
            assert same(bind(neutral(rule), kind)(X, Step(level)), bind(Base(rule), kind)(X, Step(level)))


@dataclass(frozen=True)
class Base(Rule):
    """What a rule calls no guidance."""

    of: Rule

    def asks(self, at: Step):
        return self.of.base_asks()

    def __call__(self, view: View, at: Step) -> Prediction:
        return self.of.base(view)


@law
def network_rows_are_counted(rule: Rule) -> None:
    """One forward pass a step, with each sample of each distinct ask in it once."""
    for r in (rule, spread(rule)):
        for level in (*LEVELS, *EACH):
            g = bind(r)
            g(X, Step(level))
            expected = rows(r, level)
            assert (g.network.predict.rows, g.network.predict.calls) == (expected, 1)  # type: ignore[attr-defined]
            assert (g.evaluations, g.calls) == (expected, 1)


def rows(rule: Rule, level: Level) -> int:
    asked: dict[tuple[bool, str | None], set[int]] = {}
    for a in rule.asks(Step(level)).values():
        wanted = range(B) if a.rows is None else a.rows.expand(B).nonzero()[:, 0].tolist()
        asked.setdefault((a.drop, a.replace), set()).update(wanted)
    return sum(map(len, asked.values()))


@law
def deterministic(rule: Rule) -> None:
    for level in (*LEVELS, *EACH):
        assert same(bind(rule)(X, Step(level)), bind(rule)(X, Step(level)))


@law
def starts_afresh(rule: Rule) -> None:
    """A denoiser used for a second trajectory gives what it gave for the first, and counts it anew."""
    g = bind(rule)
    first, second = trajectory(g), trajectory(g)
    assert all(same(a, b) for a, b in zip(first[0], second[0], strict=True))
    assert first[1] == second[1] > 0


def trajectory(g: Guided) -> tuple[list[Prediction], int]:
    running = g.begin()
    found = [running(X, Step(level, i, 3)) for i, level in enumerate(LEVELS[:3])]
    assert (running.evaluations, running.calls) == (g.evaluations, g.calls)
    return found, g.evaluations


@law
def per_sample_values_equal_the_loop(rule: Rule) -> None:
    _equals_the_loop(spread(rule), (*LEVELS, *EACH))


@law
def per_sample_levels_equal_the_loop(rule: Rule) -> None:
    _equals_the_loop(rule, EACH)


def _equals_the_loop(rule: Rule, levels: Sequence[Level]) -> None:
    for level in levels:
        whole = bind(rule)(X, Step(level))
        for i in range(B):
            single = bind(take(rule, [i]), labels=LABELS[i : i + 1])(X[i : i + 1], Step(one(level, i)))
            assert close(whole[i : i + 1], single)


@law
def same_for_every_kind_of_network(rule: Rule) -> None:
    for level in (*LEVELS, *EACH):
        found = [bind(rule, kind)(X, Step(level)) for kind in KINDS]
        assert all(close(p, found[0]) for p in found)


@law
def consistent_with_x(rule: Rule) -> None:
    """x = alpha x0 + sigma eps, unless the rule means to leave it."""
    for level in (*LEVELS, *EACH):
        p, a = bind(rule)(X, Step(level)), level.like(X)
        assert torch.allclose(a.alpha * p.x0 + a.sigma * p.eps, X)


@law
def prints_what_parse_reads(rule: Rule) -> None:
    for r in (rule, spread(rule)):
        assert parse(str(r)) == r
        assert hash(parse(str(r))) == hash(r)
