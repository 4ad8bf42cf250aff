"""Which rules are compared, and at which strengths each is tried: read off its fields, or as its paper uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product

from ..guidance import CFG, RULES, Rule, Wrapper, parse
from .scales import family, scaled

BASE = "cfg"  # what all others are compared with
PLAIN = "none"  # no guidance

# By the name of the field that says how strongly a rule guides.
STRENGTHS: Mapping[str, Sequence[float]] = {
    "scale": (1.5, 2, 3, 4, 6, 8),
    "strength": (0.5, 1, 2),
    "mix": (0.2, 0.4, 0.6, 0.8, 1),
    "phi": (0.35, 0.7),
}
INNER = (1.5, 2.5, 4)  # of the cfg inside of a wrapper that has a strength of its own
PERTURBED = tuple(product((1, 2.5), (1, 2, 3)))  # scale of the cfg inside, alone in their papers, and strength, 3 there

# As their papers use them, or models of this package, where that is another range, or two numbers.
USUAL: Mapping[str, Sequence[str]] = {
    PLAIN: ("cfg(1)",),
    "auto": tuple(f"auto({scale})" for scale in (1.25, 1.5, 2, 2.5, 3, 4)),
    "internal": tuple(f"internal({scale})" for scale in (1.1, 1.2, 1.4, 1.7, 2, 2.5)),
    "tsg": tuple(f"tsg({scale})" for scale in (1.25, 1.5, 2, 2.5, 3, 4)),
    "fdg": tuple(f"fdg([{low}, {high}])" for low, high in ((1, 3), (1.5, 3), (2, 4), (2, 6), (3, 6), (5, 10))),
    "mambo": tuple(f"mambo({scale})" for scale in (2, 4, 6, 8, 10, 14)),
    "mimic": tuple(f"mimic(cfg({high}), scale={low})" for high, low in product((4, 8, 14), (2, 4))),
    **{name: tuple(f"{name}(cfg({s}), strength={pull})" for s, pull in PERTURBED) for name in ("pag", "seg", "slg")},
    "interval": tuple(f"interval(cfg({scale}), hi={hi})" for scale, hi in product((2, 3, 5, 8), (2, 5.42))),
    "edit": tuple(f"edit({text}, image={image})" for text, image in product((2, 4, 7.5), (1, 1.5, 2))),
}
# What is no rule to compare, though it would run.
LEFT_OUT: Mapping[str, str] = {
    "recfg": "is cfg until its ratios are measured",
    "plus": "adds two rules, and is as good as these are",
    "mask": "gives parts of a picture to two rules, and is as good as these are",
    "region": "gives parts of a picture to two rules, and is as good as these are",
}


@dataclass(frozen=True)
class Candidate:
    """A rule, and each of the texts by which it is tried."""

    name: str
    rules: tuple[str, ...]


def candidates(names: Sequence[str] = ()) -> list[Candidate]:
    """These, by default all there are but LEFT_OUT, with no guidance and cfg before all others.

    A bare name such as `apg` is tried at several strengths; so is what has a scale in it, as `rescale(cfg, phi=.5)`,
    at the scales of cfg; what has none is tried as it is. Raises UsageError for what is no rule.
    """
    chosen = names or sorted(set(RULES) - set(LEFT_OUT))
    found = {one.name: one for one in map(candidate, (PLAIN, BASE, *chosen))}
    return list(found.values())


def candidate(text: str) -> Candidate:
    """Raises UsageError for what is no rule."""
    name = text.strip().lower()
    if name in USUAL:
        return Candidate(name, tuple(str(parse(rule)) for rule in USUAL[name]))
    if name in RULES:
        return Candidate(name, tuple(map(str, _by_fields(RULES[name]))))
    rule = parse(text)
    several = [found for scale in STRENGTHS["scale"] if (found := scaled(rule, scale)) is not None]
    return Candidate(family(rule), tuple(map(str, several or [rule])))


def _by_fields(cls: type[Rule]) -> list[Rule]:
    """A rule at the strengths of its field, a wrapper also at those of a cfg inside."""
    names = {f.name for f in fields(cls) if f.init}  # type: ignore[arg-type]
    strength = next((name for name in STRENGTHS if name in names), None)
    if not issubclass(cls, Wrapper):
        return [cls()] if strength is None else [cls(**{strength: value}) for value in STRENGTHS[strength]]
    if strength is None:
        return [cls(CFG(scale)) for scale in STRENGTHS["scale"]]
    return [cls(CFG(scale), **{strength: value}) for scale, value in product(INNER, STRENGTHS[strength])]
