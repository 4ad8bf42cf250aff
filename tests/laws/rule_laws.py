"""The laws of guidance: functions of a rule that assert, listed in LAWS. `test_rules.py` holds every rule to them.

They run on networks of every kind made of the exact denoiser of a Gaussian mixture, which offer all that a rule may ask
for. Examples are the rules' own defaults; wrappers go around each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from math import inf
from typing import Any

import torch
from torch import Tensor

from lodestar.conditions import Joint, Label
from lodestar.core import KINDS, Kind, Level, Prediction, Step
from lodestar.errors import UsageError
from lodestar.guidance import RULES, Ask, Guided, Network, Rule, Schedule, View, Wrapper, guide, parse, take
from lodestar.guidance.schedules import SHAPES, Shape, Table
from lodestar.oracle import Blurred, GaussianMixture, Undertrained
from lodestar.process import Cosine, Flow, Process

B, CLASSES = 6, 3
ORACLE = GaussianMixture.random(6, CLASSES, torch.Generator().manual_seed(1))
WEAK, CHANGED, INNER = Blurred(ORACLE, 0.5), Blurred(ORACLE, 0.2), Undertrained(ORACLE)
# Images, for some rules are for nothing else.
X = torch.randn(B, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = Label(torch.tensor([0, 1, 2, 2, 1, 0]))
ORDER = torch.tensor([3, 0, 5, 1, 4, 2])


@dataclass
class Count:
    """What the networks of one guidance were asked."""

    rows: int = 0
    calls: int = 0


@dataclass
class Exact:
    """A denoiser as a network of one kind, with every hook, some more heads, and a process."""

    kind: Kind
    process: Process
    count: Count
    denoiser: Callable[..., Prediction] = ORACLE
    heads: Sequence[str] = ()

    def __call__(self, x: Tensor, level: Level, condition: Label | Joint) -> dict[str, Tensor]:
        labels = spoken(condition)
        self.count.rows, self.count.calls = self.count.rows + len(x), self.count.calls + 1
        outs = {"main": self.denoiser(x, level, labels)} | {head: INNER(x, level, labels) for head in self.heads}
        return {head: p.reading(self.kind, level).to(x) for head, p in outs.items()}

    def hooked(self, name: str) -> Exact:
        return replace(self, denoiser=CHANGED)


def joint(labels: Label) -> Joint:
    """The same as the text of a joint condition, whose image is of another class."""
    return Joint({"text": labels, "image": Label((labels.index + 1) % CLASSES)})


def spoken(condition: Label | Joint) -> Label:
    """The class that is meant: by the text, and without one by the image."""
    if isinstance(condition, Label):
        return condition
    text, image = (condition.parts[name].index for name in ("text", "image"))  # type: ignore[attr-defined]
    return Label(torch.where(text < 0, image, text))


def log_p(x: Tensor, level: Level, condition: Label | Joint) -> Tensor:
    """log p(c | x) [B], but for a constant: the exact classifier."""
    labels = spoken(condition)
    return ORACLE.log_density(x, level, labels.index) - ORACLE.log_density(x, level)


def cosine(*u: float) -> Level:
    return Cosine().level(_tensor(u))


def flow(*u: float) -> Level:
    return Flow().level(_tensor(u))


def _tensor(u: Sequence[float]) -> Tensor:
    return torch.tensor(u if len(u) > 1 else u[0], dtype=torch.float64)


LEVELS = [cosine(0.97), cosine(0.5), cosine(0.1), flow(0.5), flow(0.1)]  # above, in and below the default interval
ENDS = [cosine(1.0), flow(1.0), flow(1e-3)]
STEPS = [Step(level, i, 3) for i, level in enumerate(LEVELS[:3])]
LAST = [*ENDS, cosine(0.0), flow(0.0)]  # the other ends, and no noise at all
STRENGTHS = (0.0, 1.0, 50.0)
EACH = [cosine(0.97, 0.8, 0.5, 0.3, 0.15, 0.05), flow(0.05, 0.95, 0.3, 0.9, 0.5, 0.7)]  # one level for each sample


# Examples.


def examples() -> list[Rule]:
    """Every rule by its defaults, every wrapper around each, every wrapper around every wrapper, every schedule."""
    plain: list[Rule] = [cls() for cls in RULES.values() if not issubclass(cls, Wrapper)]
    wrapped = [w(r) for w in wrappers() for r in plain]
    return plain + wrapped + [w(v(plain[0])) for w in wrappers() for v in wrappers()] + scheduled(plain[0])


def scheduled(rule: Rule) -> list[Rule]:
    """The rule under every schedule."""
    return [Schedule(rule, Table([0.1, 1, 10], [1, 4, 0]) if cls is Table else cls()) for cls in SHAPES.values()]


def wrappers() -> list[type[Wrapper]]:
    return [cls for cls in RULES.values() if issubclass(cls, Wrapper)]


def neutral(rule: Rule) -> Rule:
    """No guidance: its own neutral values where it has some, and those of all rules inside it."""
    return replace(rule, **_inside(rule, neutral), **_neutral(rule))  # type: ignore[type-var]


def spread(rule: Rule) -> Rule:
    """The same rule with another value in every sample, none above its own, which may be the most that is legal."""
    each = {f.name: getattr(rule, f.name) for f in fields(rule)}  # type: ignore[arg-type]
    new: dict[str, Any] = {k: _spread(v) for k, v in each.items() if isinstance(v, float)}
    new |= {k: [_spread(n) for n in v] for k, v in each.items() if isinstance(v, tuple) and k in _neutral(rule)}
    new |= {k: spread(v) for k, v in each.items() if isinstance(v, Shape)}
    return replace(rule, **new, **_inside(rule, spread))  # type: ignore[type-var]


def _spread(value: float) -> list[float]:
    return [value * f for f in torch.linspace(0.5, 1, B, dtype=torch.float64).tolist()]


def nearly(rule: Rule) -> Rule:
    """No guidance but for a trace, of the first that it has: what else has a neutral value may be a count."""
    first = dict(list(_neutral(rule).items())[:1])
    beside = {k: tuple(map(_beside, v)) if isinstance(v, tuple) else _beside(v) for k, v in first.items()}
    return replace(rule, **{**_inside(rule, nearly), **_neutral(rule), **beside})  # type: ignore[type-var]


def _beside(value: float) -> float:
    return value + 1e-9 if value < 1 else value - 1e-9  # never out of a range that ends there


def _neutral(rule: Rule) -> dict[str, Any]:
    return getattr(rule, "neutral", {})


def driven(rule: Rule, strength: float) -> list[Rule]:
    """The rule with each of its strengths at this value, or as near as is legal, and with those of the rules inside.

    A strength is what has a neutral value, and CFG++'s mix, which has none.
    """
    rule = replace(rule, **_inside(rule, lambda r: driven(r, strength)[0]))  # type: ignore[type-var]
    names = [*_neutral(rule), *(["mix"] if hasattr(rule, "mix") else [])]
    return [found for name in names for found in _towards(rule, name, strength)] or [rule]


def _towards(rule: Rule, name: str, strength: float) -> list[Rule]:
    """The rule with this in the field, or as much of it as its range has; none where another field forbids that."""
    least, most = getattr(rule, "ranges", {}).get(name, (-inf, inf))
    value: Any = min(max(strength, least), most)
    if isinstance(old := getattr(rule, name), tuple):
        value = (value,) * len(old)
    try:
        return [replace(rule, **{name: value})]  # type: ignore[type-var]
    except UsageError:
        return []


def _inside(rule: Rule, change: Callable[[Rule], Rule]) -> dict[str, Rule]:
    """The fields of a rule that are rules, changed."""
    each = {f.name: getattr(rule, f.name) for f in fields(rule)}  # type: ignore[arg-type]
    return {name: change(value) for name, value in each.items() if hasattr(value, "asks")}


def bind(rule: Rule, level: Level, kind: Kind = "v", labels: Label = LABELS, **named: Label) -> Guided:
    """The rule on the oracle at levels of this one's process; every condition it names is another class."""
    asks, count, process = asked(rule), Count(), process_of(level)
    others = {a.replace: Label((labels.index + 1) % CLASSES) for a in asks if a.replace}
    weak = Network(Exact(kind, process, count, WEAK, heads := {a.head for a in asks} - {"main"}), kind)
    told = joint if any(isinstance(a.drop, frozenset) for a in asks) else (lambda labels: labels)
    return guide(
        rule,
        Exact(kind, process, count, heads=heads),
        told(labels),
        kind=kind,
        named={name: told(other) for name, other in (others | named).items()},
        nets={a.net: weak for a in asks if a.net != "main"},
        gradients={a.gradient: log_p for a in asks if a.gradient},
    )


@cache
def asked(rule: Rule) -> frozenset[Ask]:
    """All that it asks, wherever it stands."""
    return frozenset(a for level in LEVELS for i in (0, 1) for a in rule.begin().asks(Step(level, i)).values())


def process_of(level: Level) -> Process:
    return Flow() if bool((level.alpha + level.sigma == 1).all()) else Cosine()


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
    for kind, x in [("v", X), *((kind, X.float()) for kind in KINDS)]:
        for level in [*LEVELS, *EACH, *(ENDS if kind != "eps" else ())]:
            p = bind(rule, level, kind)(x, Step(level))
            assert p.x0.shape == p.eps.shape == x.shape
            assert p.x0.dtype == p.eps.dtype == x.dtype
            assert p.x0.isfinite().all()
            assert p.eps.isfinite().all()


@law
def finite_at_every_strength_and_both_ends_of_the_noise(rule: Rule) -> None:
    """Where cond and null are apart, where they are the same, and where x is nothing at all; for every kind of network
    that says something there, as one of eps does not in pure noise, nor one of x0 without any."""
    for r in (r for strength in STRENGTHS for r in driven(rule, strength)):
        for level in LAST:
            same = dict.fromkeys({"null", *(a.replace for a in asked(r) if a.replace)}, LABELS)
            others = [("eps", X, {})] * bool(level.alpha > 0) + [("x0", X, {})] * bool(level.sigma > 0)
            for kind, x, named in (("v", X, {}), ("flow", X.float(), same), ("v", 0 * X, {}), *others):
                p = bind(r, level, kind, **named)(x, Step(level))
                assert p.x0.isfinite().all()
                assert p.eps.isfinite().all()


@law
def no_leak_across_the_batch(rule: Rule) -> None:
    """Other neighbours in another order, the same samples."""
    for r in (rule, spread(rule)):
        for level in (*LEVELS[:2], *EACH):
            whole = bind(r, level)(X, Step(level))
            moved = bind(take(r, ORDER.tolist()), level, labels=LABELS[ORDER])(X[ORDER], Step(level[ORDER]))
            assert close(whole[ORDER], moved)
            disturbed = torch.cat([X[:3], 100 + X[3:]])
            assert close(whole[:3], bind(r, level)(disturbed, Step(level))[:3])


@law
def cond_equal_to_null_changes_nothing(rule: Rule) -> None:
    _nothing_changes(rule, slice(1, 3))  # also where every other step rests, and where it does not


@law
def cond_equal_to_null_changes_nothing_at_first(rule: Rule) -> None:
    _nothing_changes(rule, slice(1))


def _nothing_changes(rule: Rule, steps: slice) -> None:
    """In these steps."""
    for kind in KINDS:
        for level in (*LEVELS, *EACH):
            others = {a.replace for a in asked(rule) if a.replace}
            nothing = bind(rule, level, kind, **dict.fromkeys({"null"} | others, LABELS))
            found = [nothing(X, Step(level, i, 3)) for i in range(steps.stop)]
            assert all(close(each, ORACLE(X, level, LABELS)) for each in found[steps])


@law
def neutral_is_the_base_exactly(rule: Rule) -> None:
    """At its cost. And a value beside it is beside it, where more is asked and next to nothing is made of that."""
    for level in LEVELS:
        for kind in KINDS:
            found, base = (bind(r, level, kind) for r in (neutral(rule), Base(rule)))
            assert same(found(X, Step(level)), base(X, Step(level)))
            assert found.tally == base.tally
        assert close(bind(nearly(rule), level)(X, Step(level)), bind(Base(rule), level)(X, Step(level)), 1e-5)


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
    """Each sample of each distinct ask once, and one forward pass for all that can run together."""
    for r in (rule, spread(rule)):
        for level in (*LEVELS, *EACH):
            g = bind(r, level)
            g(X, Step(level))
            count = g.evaluation.networks["main"].predict.count  # type: ignore[attr-defined]
            assert (g.evaluations, g.calls) == (count.rows, count.calls) == expected(r, level)


def expected(rule: Rule, level: Level) -> tuple[int, int]:
    """Network rows and passes."""
    rows: dict[Ask, set[int]] = {}
    together: dict[Ask, object] = {}
    asks = [a for a in rule.asks(Step(level)).values() if a.gradient is None and (a.rows is None or a.rows.any())]
    for a in asks:
        key = replace(a, head="main", rows=None)
        rows.setdefault(key, set()).update(range(B) if a.rows is None else a.rows.expand(B).nonzero()[:, 0].tolist())
        together[key] = key if a.grad or together.get(key) is key else (a.net, a.hook)
    return sum(map(len, rows.values())), len(set(together.values()))


@law
def deterministic(rule: Rule) -> None:
    for level in (*LEVELS, *EACH):
        first, again = (bind(rule, level)(X, Step(level)) for _ in range(2))
        assert same(first, again)


@law
def starts_afresh(rule: Rule) -> None:
    """A denoiser used for a second trajectory gives what it gave for the first, counted anew, and so do two at once."""
    g = bind(rule, LEVELS[0])
    first, second = trajectory(g), trajectory(g)
    assert all(same(a, b) for a, b in zip(first[0], second[0], strict=True))
    assert first[1] == second[1] > 0
    both = [g.begin(), g.begin()]
    assert all(same(running(X, step), p) for step, p in zip(STEPS, first[0], strict=True) for running in both)


def trajectory(g: Guided) -> tuple[list[Prediction], int]:
    running = g.begin()
    found = [running(X, step) for step in STEPS]
    assert (running.evaluations, running.calls) == (g.evaluations, g.calls)
    return found, g.evaluations


@law
def per_sample_values_equal_the_loop(rule: Rule) -> None:
    _equals_the_loop(spread(rule), (LEVELS[1], LEVELS[3], *EACH))


@law
def per_sample_levels_equal_the_loop(rule: Rule) -> None:
    _equals_the_loop(rule, EACH)


def _equals_the_loop(rule: Rule, levels: Sequence[Level]) -> None:
    for level in levels:
        whole = bind(rule, level)(X, Step(level))
        for i in range(B):
            single = bind(take(rule, [i]), level, labels=LABELS[i : i + 1])(X[i : i + 1], Step(one(level, i)))
            assert close(whole[i : i + 1], single)


@law
def same_for_every_kind_of_network(rule: Rule) -> None:
    for level in (*LEVELS, *EACH):
        found = [bind(rule, level, kind)(X, Step(level)) for kind in KINDS]
        assert all(close(p, found[0]) for p in found)


@law
def consistent_with_x(rule: Rule) -> None:
    """x = alpha x0 + sigma eps, unless the rule means to leave it."""
    for level in (*LEVELS, *EACH):
        p, a = bind(rule, level)(X, Step(level)), level.like(X)
        assert torch.allclose(a.alpha * p.x0 + a.sigma * p.eps, X)


@law
def prints_what_parse_reads(rule: Rule) -> None:
    for r in (rule, spread(rule)):
        assert parse(str(r)) == r
        assert hash(parse(str(r))) == hash(r)
