"""The seam: a rule says which predictions it needs, the planner runs them, the rule combines them.

    @rule
    class CFG(Rule):
        scale: Number = 4.0
        def asks(self, at): return {"cond": Ask(), "null": Ask(drop=ALL)}
        def __call__(self, view, at): return lerp(view["null"], view["cond"], weight(self.scale, view.x))

A rule is a frozen dataclass in one file of `rules/`: it is discovered, parsed, printed and held to the laws in
tests/laws/test_rules.py. For those it may have two class attributes: `neutral`, the field values that mean no guidance,
and `exempt`, the laws that do not apply to it, each with the reason; `example` has what `lodestar rules NAME` is to
show in place of defaults that the shipped models have not. What a network has to offer for a `hook` or a
`head` is in network.py.

A rule that asks at another `level` sees the sampler's own x there, as in time-step guidance (Sadat et al. 2024,
arXiv:2407.02687) and self-guidance (Li et al. 2024, arXiv:2412.05827): the network is only told of more noise, or of
less. Its output is read at the level that it was told, the one at which x = alpha x0 + sigma eps, so that networks of
every kind give one prediction. At the sampler's own level only one of its readings can be kept, and which one is the
rule's choice of space, as in `convert("x0", view["other"].x0, view.x, at.level)`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, dataclass_transform

from torch import Tensor

from ..core import Level, Prediction, Step
from ..errors import UsageError
from ..expression import Call
from .fields import Number, settle

ALL = True  # what an Ask drops: all that the condition says, but for what is always on

R = TypeVar("R", bound="type[Rule]")
C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class Ask:
    """What is special about a prediction; `Ask()` is the network under the user's own condition.

    Two asks are equal when they want the same prediction, be it for other rows or with its derivative.
    """

    drop: bool | frozenset[str] = False  # the null in place of the condition, or of its parts of these names
    replace: str | None = None  # the condition of this name in place of the user's, or of the parts that it has
    rows: Tensor | None = field(default=None, compare=False)  # bool [B] or []; None: all. What is not asked reads as 0
    net: str = "main"  # the network of this name
    level: Number = 1.0  # the network is told sigma/alpha times this, and sees the same x
    hook: str | None = None  # a change inside the network, which it makes when asked by this name
    head: str = "main"  # the output of this name, of a network that has several
    grad: bool = field(default=False, compare=False)  # x0 can be pulled back to x: `View.pull`
    gradient: str | None = None  # not a prediction but the gradient of the function of this name: `View.gradient`
    down: bool = False  # which is a loss, and gone down; else a log density, and gone up
    ranges: ClassVar = {"level": (1e-6, 1e12)}

    def __post_init__(self) -> None:
        if not isinstance(self.drop, bool | frozenset):
            if isinstance(self.drop, str):
                raise UsageError(f"drop takes True or a set of names such as {{'text'}}, got {self.drop!r}")
            object.__setattr__(self, "drop", frozenset(self.drop))
        if not isinstance(self.level, float) or self.level != 1:  # asks are made often, and seldom with a level
            settle(self, "level")

    @property
    def wanted(self) -> bool:
        """Whether it is asked of any sample."""
        return self.rows is None or bool(self.rows.any())


Asks: TypeAlias = Mapping[str, Ask]


@dataclass(frozen=True)
class View:
    """What a rule sees at one step: the noisy sample x [B, ...] and what it asked for, by name."""

    x: Tensor
    named: Mapping[str, Prediction]
    pulls: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    gradients: Mapping[str, Callable[..., Tensor]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Prediction:
        return self.named[name]

    def pull(self, name: str, cotangent: Tensor) -> Tensor:
        """The gradient by x of <cotangent, x0> [B, ...], x0 being that of what was asked so with `grad`."""
        return self.pulls[name](cotangent)

    def gradient(self, name: str, x: Tensor | None = None, level: Level | None = None) -> Tensor:
        """The gradient [B, ...] that was asked so: of log p by x here, by another x [B, ...] at the cleanest level, or
        by that at another.

        Computed when it is read. Pulled back through the denoiser that gave an x0 it is universal guidance's (Bansal
        et al. 2023, arXiv:2302.07121): `view.pull("cond", view.gradient("clip", view["cond"].x0))`.
        """
        return self.gradients[name](x, level)


class Rule(Protocol):
    """How predictions become one. An outsider's object fits by shape; the decorated rules inherit the defaults."""

    @abstractmethod
    def asks(self, at: Step) -> Asks:
        """The predictions that this step needs."""
        ...

    @abstractmethod
    def __call__(self, view: View, at: Step) -> Prediction:
        """The guided prediction [B, ...]."""
        ...

    def begin(self) -> Rule:
        """The running form, with fresh state, for one trajectory. A rule without state is its own."""
        return self

    def base_asks(self) -> Asks:
        """What `base` reads."""
        return {"cond": Ask()}

    def base(self, view: View) -> Prediction:
        """What "no guidance" means: wrappers fall back to it."""
        return view["cond"]


@dataclass(frozen=True)
class Wrapper(Rule):
    """A rule around a rule; its base is the inner one's."""

    inner: Rule

    def __post_init__(self) -> None:
        check_rule("inner", self.inner)

    def begin(self) -> Rule:
        return replace(self, inner=self.inner.begin())

    def base_asks(self) -> Asks:
        return self.inner.base_asks()

    def base(self, view: View) -> Prediction:
        return self.inner.base(view)


RULES: dict[str, type[Rule]] = {}


@dataclass_transform(frozen_default=True)
def rule(cls: R) -> R:
    """Freeze a class into a rule: a dataclass that prints as the language reads it, listed by its lower-case name."""
    return listed(cls, RULES)


def listed(cls: C, registry: dict[str, Any]) -> C:
    """The class, frozen, printing as the language reads it, and in this registry under its lower-case name."""
    name = cls.__name__.lower()
    dataclass(frozen=True)(cls)
    cls.__str__ = _text  # type: ignore[method-assign, assignment]
    if registry.setdefault(name, cls) is not cls:
        raise ValueError(f"two rules are called {name}")
    return cls


def _text(value: object) -> str:
    return str(written(value))


def written(value: object) -> Call:
    """A rule, or a shape, as an expression: the first field by position, the others by name, none left to defaults."""
    given = [(f.name, getattr(value, f.name)) for f in fields(value) if f.init]  # type: ignore[arg-type]
    given = [(name, written(v) if type(v).__str__ is _text else v) for name, v in given]
    return Call(type(value).__name__.lower(), tuple(v for _, v in given[:1]), tuple(given[1:]))


def check_rule(name: str, value: object) -> None:
    """Raise UsageError unless what is called so is a rule."""
    if isinstance(value, type) or not (hasattr(value, "asks") and callable(value)):
        raise UsageError(f"{name} must be a rule such as cfg(4), got {value!r}")


def asks_of(rule: Rule, levels: Sequence[Level]) -> list[Ask]:
    """All that a rule asks for on its way over these levels."""
    steps = [Step(level, i, len(levels) - 1) for i, level in enumerate(levels[:-1])]
    return [ask for at in steps for ask in rule.begin().asks(at).values()]


def union(*several: Asks) -> dict[str, Ask]:
    """All that these ask; what two of them ask under one name, for the rows of either.

    Raises UsageError where they mean different predictions by it: one of the rules would read the other's.
    """
    out: dict[str, Ask] = {}
    for name, ask in (item for asks in several for item in asks.items()):
        if out.setdefault(name, ask) != ask:
            raise UsageError(f"two rules ask for different predictions by the name '{name}': rename one of them")
        out[name] = both(out[name], ask)
    return out


def both(a: Ask, b: Ask) -> Ask:
    """What two asks for the same prediction come to: the rows of either, and its derivative if either wants it."""
    rows = None if a.rows is None or b.rows is None else a.rows | b.rows
    return replace(b, rows=rows, grad=a.grad or b.grad)


def restrict(asks: Asks, rows: Tensor) -> dict[str, Ask]:
    """The same asks, for these rows (bool [B] or []) at most; nothing when there are none."""
    if not rows.any():
        return {}
    return {name: replace(a, rows=rows if a.rows is None else a.rows & rows) for name, a in asks.items()}
