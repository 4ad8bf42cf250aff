"""`lodestar info`: all that is known of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from .command import Command
from .config import to_json
from .show import table


@dataclass(frozen=True, kw_only=True)
class Info(Command):
    """Say what a model is: schema, null, drop rates, default guidance, measured table, recipe, licence.

    Or a classifier or CLIP: what it tells apart.
    """

    model: Positional[Annotated[str, arg(metavar="[MODEL]")]] = "scenes-32"  # a shipped model, or the folder of one

    def run(self) -> dict[str, object]:
        from ..likelihood import known

        told = known(self.model).describe()
        table(("", ""), lines(told))
        return {"config": to_json(self), "model": told}


def lines(known: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name and value of each entry; those of an object each on a line of their own, and a table a line for each row."""
    for key, value in known.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{name}", text) for name, text in _lines(value))
        else:
            yield from _lines({key: value})


def _lines(entries: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in entries.items():
        if isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value):
            yield from ((key, _text(row)) for row in value)
        else:
            yield key, _text(value)


def _text(value: object) -> str:
    if value is None or value == {}:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_inner(v)}" for k, v in value.items())
    return ", ".join(map(_inner, value)) if isinstance(value, list | tuple) else str(value)


def _inner(value: object) -> str:
    """A value inside another one's line."""
    several = isinstance(value, Mapping | list | tuple) and value
    return f"({_text(value)})" if several else _text(value)
