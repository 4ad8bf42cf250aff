"""Options that are given as NAME=VALUE, once for each name."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import UsageError


def pairs(option: str, value: str, given: Sequence[str]) -> dict[str, str]:
    """What is given by name. Raises UsageError where it is not written so, and for a name that is given twice."""
    found: dict[str, str] = {}
    for text in given:
        name, _, said = (part.strip() for part in text.partition("="))
        if not name or not said:
            raise UsageError(f"{option} takes NAME={value}, got '{text}'")
        if name in found:
            raise UsageError(f"{option} gives '{name}' twice: give it once")
        found[name] = said
    return found


def without(given: Sequence[object], names: Collection[str]) -> list[object]:
    """Those with other names."""
    return [text for text in given if str(text).partition("=")[0].strip() not in names]
