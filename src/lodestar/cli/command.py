"""What every command is: a frozen dataclass whose fields are its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of the program. The comments beside the fields are the help."""

    config: Path | None = None  # read the options from this file, as --dry-run prints them; options given here win
    dry_run: bool = False  # print the resolved configuration as JSON and stop
    json: Path | None = None  # write the results to this file

    @classmethod
    def name(cls) -> str:
        return cls.__name__.lower()

    @classmethod
    def parse(cls, args: list[str]) -> Self:
        """The command with these arguments. Raises UsageError where they cannot be read."""
        from .parse import parse

        return parse(cls, args)

    def kept(self, data: Mapping[str, Any], plain: Self) -> Mapping[str, Any]:
        """What stays of a configuration beside the options given here: those that differ from the plain ones."""
        return data

    def resolved(self) -> Command:
        """The same, with nothing left to defaults that could change. Reads, and writes nothing."""
        return self

    def run(self) -> dict[str, object]:
        """Do it, and give the results as JSON values."""
        raise NotImplementedError
