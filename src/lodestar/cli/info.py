"""`lodestar info`: all that is known of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tyro.conf import Positional

from .command import Command
from .config import to_json
from .show import table


@dataclass(frozen=True, kw_only=True)
class Info(Command):
    """Say what a model is: schema, null, drop rates, default guidance, measured table, recipe, licence."""

    model: Positional[str] = "scenes-32"  # a shipped model, or the folder of one

    def run(self) -> dict[str, object]:
        from ..model import load

        known = load(self.model).describe()
        table(("", ""), lines(known))
        return {"config": to_json(self), "model": known}


def lines(known: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and value of each entry, of those inside it with a dot between."""
    for key, value in known.items():
        if isinstance(value, Mapping) and value:
            yield from lines(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            yield from ((f"{prefix}{key}" if i == 0 else "", _row(v)) for i, v in enumerate(value))
        else:
            yield f"{prefix}{key}", _text(value)


def _row(entry: Mapping[str, object]) -> str:
    """One line of a measured table."""
    return "  ".join(f"{k} {_text(v)}" for k, v in entry.items())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
