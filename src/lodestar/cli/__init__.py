"""The program `lodestar`: a thin leaf. Each command is one file here, a dataclass whose fields are its options.

Exit codes: 0 done; 2 a mistake of the user's, told in one line; 130 interrupted. torch is imported by what needs it, so
that help and most errors come at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import UsageError, unknown
from ..version import __version__
from .command import Command
from .config import to_json
from .info import Info
from .rules import Rules
from .sample import Sample
from .show import check_file, hush_broken_pipe, print_json, say, warnings_as_lines, write_json
from .train import Train

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, type[Command]] = {c.name(): c for c in (Sample, Train, Info, Rules)}


def main(args: Sequence[str] | None = None) -> int:
    """Run the program with these arguments, by default the process's own; returns the exit code."""
    try:
        with warnings_as_lines():
            return _run(list(sys.argv[1:] if args is None else args))
    except UsageError as error:
        return _failed(str(error))
    except BrokenPipeError:
        hush_broken_pipe()
        return 0
    except OSError as error:
        return _failed(f"{error.filename or 'the operating system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        say("error", "interrupted")
        return 130


def _failed(message: str) -> int:
    say("error", message)
    return 2


def _run(args: list[str]) -> int:
    first = args[0] if args else "--help"
    if first in ("--help", "-h"):
        return _overview()
    if first == "--version":
        print(f"lodestar {__version__}")
        return 0
    if first not in COMMANDS:
        raise unknown("command", first, (*COMMANDS, "--help", "--version"))
    if "--help" in args or "-h" in args:
        return _help(COMMANDS[first], args[1:])
    return _command(COMMANDS[first].parse(args[1:]))


def _command(command: Command) -> int:
    if command.dry_run:
        print_json(to_json(command.resolved()))
        return 0
    if command.json is not None:
        check_file(command.json)
    results = command.run()
    if command.json is not None:
        write_json(command.json, results)
    return 0


def _help(cls: type[Command], args: list[str]) -> int:
    """The help of one command; tyro prints it and leaves."""
    try:
        cls.parse(args)
    except SystemExit:
        pass
    return 0


def _overview() -> int:
    """The commands, a line each."""
    print("usage: lodestar COMMAND ...\n\nTrain, guide and sample diffusion and flow models.\n")
    for name, command in COMMANDS.items():
        print(f"  {name:8}{(command.__doc__ or '').splitlines()[0]}")
    print("\n  lodestar COMMAND --help   its options\n  lodestar --version        the version")
    return 0
