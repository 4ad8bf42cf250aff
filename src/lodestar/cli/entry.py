"""`lodestar rules NAME`: all that the file of one rule says, and what its asks say that it needs of a model."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ..citing import Citation, cited
from ..expression import show
from ..guidance import ALL, CFG, RULES, Ask, Number, Rule, Wrapper
from ..guidance.rule import asks_of
from ..guidance.schedules import Shape
from ..model import JUDGES
from ..process import Cosine, levels
from .show import table

TAKES = {  # what a field takes by its type, where it has no range
    Number: "any number",
    bool: "true or false",
    int: "a whole number",
    str: "a name",
    Rule: "a rule",
    Shape: "a schedule",
    Sequence[str]: "names",
    Sequence[int]: "whole numbers",
    Sequence[float]: "numbers",
    Sequence[Number]: "numbers",
    Sequence[Sequence[Number]]: "rows of numbers",
}
END = r"(?<!\beq)(?<!\bsec)(?<!\bal)\.(?= |$)"  # of a sentence


def entry(name: str) -> dict[str, Any]:
    """The rule of this name, told whole."""
    cls = RULES[name]
    text = inspect.cleandoc(sys.modules[cls.__module__].__doc__ or "")
    cites = Citation(name, cited(cls))
    return {
        "name": name,
        "folder": cls.__module__.split(".")[-2],
        "about": (inspect.getdoc(cls) or "").splitlines()[0],
        "source": cites.source,
        "arxiv": cites.arxiv,
        "equation": cites.equation,
        "space": labelled(text, "Space") or sentence(text, r"[^.]*\bevery space\b"),
        "neutral": dict(getattr(cls, "neutral", {})),
        "cost": labelled(text, "Cost"),
        "needs": needs(_made(cls, 1)) or ["nothing more than the rule inside"],
        "parameters": [_parameter(cls, field) for field in fields(cls) if field.init],  # type: ignore[arg-type]
        "example": str(replace(_made(cls, 4), **getattr(cls, "example", {}))),  # type: ignore[type-var]
        "text": text,
    }


def tell(known: dict[str, Any]) -> None:
    """An entry, for people."""
    names = ", ".join(p["name"] if p["default"] is None else f"{p['name']}={p['shown']}" for p in known["parameters"])
    print(f"{known['name']}({names})\n\n{known['about']}\n")
    facts = ("source", "arxiv", "equation", "space", "neutral", "cost", "needs", "example")
    table(("", ""), [(fact, line) for fact in facts for line in _lines(fact, known[fact])])
    print()
    rows = [(p["name"], p["shown"], p["takes"], p["about"]) for p in known["parameters"]]
    table(("parameter", "default", "takes", ""), rows)
    print(f"\n{known['text']}")


def _lines(fact: str, value: Any) -> list[str]:
    if fact == "arxiv":
        return [f"https://arxiv.org/abs/{number}" for number in value]
    if fact == "neutral":
        return [", ".join(f"{k}={show(v)}" for k, v in value.items()) or "-"]
    if fact == "example":
        return [f"lodestar sample \"a red circle above a blue square\" --guidance '{value}'"]
    return value if isinstance(value, list) else [value]


def _made(cls: type[Rule], scale: float) -> Rule:
    """The rule by its defaults, a wrapper around cfg at this scale."""
    return cls(CFG(scale)) if issubclass(cls, Wrapper) else cls()


# What its docstring says.


def labelled(text: str, label: str) -> str:
    """The sentence that begins with this label, without it."""
    return re.sub(rf"^{label}:? ", "", sentence(text, rf"{label}\b"))


def sentence(text: str, beginning: str) -> str:
    """The first sentence that begins with this pattern, on one line; empty where there is none."""
    for paragraph in text.split("\n\n"):
        found = re.search(rf"(?:^|(?<=[.)] ))({beginning}.*?){END}", " ".join(paragraph.split()))
        if found:
            return found[1]
    return ""


# What its fields say.


def _parameter(cls: type[Rule], field: Field[Any]) -> dict[str, Any]:
    default = None if field.default is MISSING else field.default
    return {
        "name": field.name,
        "default": default,
        "shown": "" if field.default is MISSING else show(default),
        "takes": takes(cls, field.name),
        "about": comment(cls, field.name),
    }


def takes(cls: type, name: str) -> str:
    """What a field of a rule can be."""
    kind = get_type_hints(cls)[name]
    if name in getattr(cls, "ranges", {}):
        least, most = cls.ranges[name]  # type: ignore[attr-defined]
        return f"[{least:g}, {most:g}]" if kind == Number else f"{TAKES[kind]} from {least:g}"
    return " or ".join(get_args(kind)) if get_origin(kind) is Literal else TAKES[kind]


def comment(cls: type, name: str) -> str:
    """What stands beside the field where it is declared."""
    for owner in cls.__mro__:
        if name in vars(owner).get("__annotations__", {}):
            found = re.search(rf"^    {name}: [^#\n]*#(.*)$", inspect.getsource(owner), re.MULTILINE)
            return found[1].strip() if found else ""
    return ""


# What it asks for.


def needs(rule: Rule) -> list[str]:
    """What a model, and whoever samples, has to give besides the prediction under the condition."""
    asks = asks_of(rule, levels(Cosine(), 8))
    return list(dict.fromkeys(line for ask in asks if ask.wanted for line in _needs(ask)))


def _needs(ask: Ask) -> Iterator[str]:
    name = ask.replace or ask.gradient or ask.net
    if ask.gradient is not None:
        option = f" (--gradient {name}=...)" if name in JUDGES else ""
        yield f"a function named '{name}', whose gradient is taken: gradients={{'{name}': ...}}{option}"
    if ask.drop is ALL:
        yield "a null: that of a model trained with its condition dropped now and then (drop > 0)"
    if isinstance(ask.drop, frozenset):
        yield f"a joint condition, of a model trained without its {' and '.join(sorted(ask.drop))} now and then"
    if ask.replace is not None:
        option = "--negative" if name == "negative" else f"--named {name}=..."
        yield f"a condition named '{name}': named={{'{name}': ...}} ({option})"
    if ask.net != "main":
        yield f"another network, named '{name}': nets={{'{name}': ...}} (--net {name}=...)"
    if ask.hook is not None:
        yield f"a network with the hook '{ask.hook}', as lodestar's own have: a method hooked(name)"
    if ask.head != "main":
        yield f"a network with a head '{ask.head}', trained with it (lodestar train --network.inner 1)"
    if ask.level != 1:
        yield "the network's process, for it is told another noise: process=..."
    if ask.grad:
        yield "a network that can be differentiated by x, by autograd"
