"""What is searched: rules as they are written, with every number left open that can be tuned.

    cfg                     its scale
    interval                interval(cfg, lo, hi): the scale, and which steps are guided
    interval(cfg(3))        which steps are guided: what is written stays as it is
    schedule                schedule(cfg, shape): the scale, and a shape of guidance/schedules.py
    rescale(apg)            apg's scale

Open by their names: scale and strength, edit's text and image (all uniform in the logarithm), mix, the bounds of an
interval, the shape of a schedule, and the number of steps where several are given. All else is as the rule's file has
it. The bounds lie between the levels that the model's own grid visits, so that every interval guides some of the steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import ceil, inf, isfinite, sqrt
from typing import Any, TypeAlias

from ...core import Process
from ...expression import Call, parse_call
from ...guidance import RULES, parse
from ...process import levels
from ..setting import Setting

Params: TypeAlias = Mapping[str, Any]  # the family's text as "guidance", and a value of each open number
SHAPES = ("linear", "cosine", "pcs", "exponential", "beta")  # those that need nothing
PRIMES = (2, 3, 5, 7, 11, 13)


@dataclass(frozen=True)
class Open:
    """A number to be found, or one of some choices."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def at(self, share: float) -> Any:
        """What lies so far between the ends, 0 to 1."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.log:
            return settled(self.low * (self.high / self.low) ** share)
        return settled(self.low + share * (self.high - self.low))


# Ours: from no guidance to where every picture is spoilt.
NUMBERS = {
    "scale": Open("scale", 1.0, 15.0, True),
    "text": Open("text", 1.0, 15.0, True),  # the two scales of edit
    "image": Open("image", 1.0, 5.0, True),
    "strength": Open("strength", 0.1, 10.0, True),
    "mix": Open("mix"),
}
BEGIN, SPAN = Open("begin"), Open("span")  # the share of steps before an interval, and of those left the share inside
SHAPE = Open("shape", choices=SHAPES)
Take: TypeAlias = Callable[[Open], Any]
Bounds: TypeAlias = Callable[[float, float], tuple[float, float]]  # lo and hi of begin and span


def settled(value: float) -> float:
    """Three digits: settings that differ by less are one."""
    return float(f"{value:.3g}")


@dataclass(frozen=True)
class Family:
    """One rule with open numbers."""

    text: str
    call: Call
    open: tuple[Open, ...]

    @classmethod
    def of(cls, text: str, steps: Sequence[int]) -> Family:
        """Of what is written. Raises UsageError where it is no rule."""
        call, found = parse_call(text), list[Open]()

        def take(one: Open) -> Any:
            found.append(one)
            return one.at(0.5)

        parse(str(_written(call, _numbered(take), lambda begin, span: (0.0, inf))))
        several = (Open("steps", choices=tuple(steps)),) if len(steps) > 1 else ()
        return cls(text, call, (*found, *several))

    @property
    def strength(self) -> Open | None:
        """The first open number of which a metric is a smooth function of the logarithm."""
        return next((one for one in self.open if one.log), None)

    def start(self, i: int, of: int) -> Params:
        """The i-th of some settings all over the family: evenly, or by Halton's sequence where several are open."""
        shares = [_even(i, of)] if len(self.open) == 1 else [_halton(i + 1, p) for p in PRIMES]
        return {"guidance": self.text, **{one.name: one.at(s) for one, s in zip(self.open, shares, strict=False)}}


@dataclass(frozen=True)
class Space:
    """Families of rules on one model, and how it is sampled besides."""

    families: tuple[Family, ...]
    process: Process
    base: Setting  # the sampler, steps and grid

    @classmethod
    def of(cls, texts: Sequence[str], process: Process, base: Setting, steps: Sequence[int] = ()) -> Space:
        """`base` says all but the guidance; with several `steps` they are searched too. Raises UsageError."""
        counts = tuple(dict.fromkeys(steps))
        families = tuple(Family.of(text, counts) for text in dict.fromkeys(texts))
        return cls(families, process, replace(base, steps=counts[0]) if counts else base)

    def family(self, params: Params) -> Family:
        return next(f for f in self.families if f.text == params["guidance"])

    def setting(self, params: Params) -> Setting:
        """What is sampled."""
        steps = params.get("steps", self.base.steps)
        edges = self._edges(steps)

        def bounds(begin: float, span: float) -> tuple[float, float]:
            first = min(int(begin * steps), steps - 1)
            return edges[first + max(1, ceil(span * (steps - first)))], edges[first]

        call = _written(self.family(params).call, _numbered(lambda one: params[one.name]), bounds)
        return replace(self.base, guidance=str(parse(str(call))), steps=steps)

    def _edges(self, steps: int) -> list[float]:
        """Noise levels, sigma/alpha: above that of the first step, between those of two, and below that of the last."""
        visited = [float(at.noise_to_signal) for at in levels(self.process, steps, self.base.grid or "u")][:-1]
        between = [sqrt(a * b) if isfinite(a) else 2 * b for a, b in pairwise(visited)]
        return [inf, *map(settled, between), 0.0]


def _numbered(take: Take) -> Take:
    """The same; of two open numbers of one name the second is called scale#2."""
    seen = Counter[str]()

    def numbered(one: Open) -> Any:
        seen[one.name] += 1
        return take(one if seen[one.name] == 1 else replace(one, name=f"{one.name}#{seen[one.name]}"))

    return numbered


def _written(call: Call, take: Take, bounds: Bounds) -> Call:
    """The rule with all that is open filled in; what is no rule stays, for its reader to refuse."""
    cls = RULES.get(call.name.lower())
    if cls is None:
        return call
    names = [f.name for f in fields(cls) if f.init]  # type: ignore[arg-type]
    given = call.bind(names)
    filled = dict(_fields(names, given, take, bounds))
    if "lo" in names and "inner" in names and not {"lo", "hi"} & given.keys():
        filled["lo"], filled["hi"] = bounds(take(BEGIN), take(SPAN))
    return Call(call.name, (), tuple(filled.items()))


def _fields(names: Sequence[str], given: Mapping[str, Any], take: Take, bounds: Bounds) -> Iterator[tuple[str, Any]]:
    for name in names:
        value = given.get(name, Call("cfg") if name == "inner" else None)
        if isinstance(value, Call):
            yield name, _written(value, take, bounds)
        elif name in given:
            yield name, value
        elif name in NUMBERS:
            yield name, take(NUMBERS[name])
        elif name == "shape":
            yield name, Call(take(SHAPE))


def _even(i: int, of: int) -> float:
    """The middle of one of so many equal parts of [0, 1]: the middlemost first, then outwards."""
    return (sorted(range(of), key=lambda k: abs(k - (of - 1) / 2))[i] + 0.5) / of


def _halton(i: int, base: int) -> float:
    """The digits of i behind the point. Halton 1960, Numer. Math. 2, page 84."""
    found, unit = 0.0, 1.0
    while i:
        unit /= base
        found, i = found + unit * (i % base), i // base
    return found
