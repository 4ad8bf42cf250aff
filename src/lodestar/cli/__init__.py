"""The program `lodestar`: a thin leaf. Each command is one file here, a dataclass whose fields are its options.

Exit codes: 0 done; 2 a mistake of the user's, told in one line; 130 interrupted, 143 terminated. A command is imported
when it is called, and torch by what needs it, so that help and most errors come at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import UsageError, unknown
from ..version import __version__
from .command import Command
from .show import check_file, hush_broken_pipe, print_json, say, warnings_as_lines, write_json

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "sample": "pictures by text, by class, or of nothing in particular",
    "edit": "a picture, changed as an instruction says",
    "evaluate": "what a model's samples, or pictures that are there, are worth in numbers",
    "sweep": "rules at many scales, intervals and steps, each measured with the same noise",
    "compare": "rules at equal network evaluations, each tuned on other seeds",
    "tune": "the guidance that is best by a metric, found, confirmed and written into the model",
    "study": "the CFG paper's studies on models of one's own, and which of its claims hold there",
    "train": "a model, on the embedded world or on images of your own",
    "info": "what a model is, and what was measured of it",
    "rules": "the guidance rules and samplers there are",
    "report": "what was measured, as a page with plots and pictures",
    "figure": "what guidance aims at and what it draws, on data known exactly",
}
_SIGNALLED = {"SIGINT": 130, "SIGTERM": 143}


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
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error) and not isinstance(error, MemoryError):
            raise
        return _failed("out of memory: use a smaller --batch (or --train.batch)")
    except KeyboardInterrupt:
        say("error", "interrupted")
        return 130


def command(name: str) -> type[Command]:
    """The command of this name."""
    return vars(import_module(f"{__name__}.{name}"))[name.capitalize()]


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
        raise unknown("command", first, COMMANDS)
    try:
        asked = command(first).parse(args[1:])
    except SystemExit:  # the help was printed
        return 0
    return _carry_out(asked)


def _carry_out(asked: Command) -> int:
    if asked.dry_run:
        from .config import to_json

        print_json(to_json(asked.resolved()))
        return 0
    if asked.json is not None:
        check_file(asked.json)
    results = asked.run()
    if asked.json is not None:
        write_json(asked.json, results)
    return _SIGNALLED.get(str(results.get("stopped")), 0)


def _overview() -> int:
    print("usage: lodestar COMMAND ...\n\nTrain, guide and sample diffusion and flow models.\n")
    width = max(map(len, COMMANDS)) + 2
    for name, about in COMMANDS.items():
        print(f"  {name:{width}}{about}")
    print("\n  lodestar COMMAND --help   its options\n  lodestar --version        the version")
    return 0
