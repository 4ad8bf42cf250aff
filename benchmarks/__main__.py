"""`python -m benchmarks [names] [--quick]`, from the repository root."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module

import tyro
from tyro.conf import Positional

from .options import NAMES, Name, Options
from .report import Report


@dataclass(frozen=True)
class Command(Options):
    """Measures Lodestar beside its peers; nothing else should be running."""

    names: Positional[tuple[Name, ...]] = NAMES
    """Which benchmarks."""


def run(name: Name, options: Options) -> Report:
    """One benchmark, its result saved."""
    report: Report = import_module(f"{__package__}.{name}").measure(options)
    report.save(options.folder, options.quick)
    return report


def main() -> int:
    import torch

    command = tyro.cli(Command, prog="python -m benchmarks")
    torch.set_num_threads(command.threads or torch.get_num_threads())
    for name in command.names:
        print(run(name, command).to_markdown(command.quick))
    print(f"written to {command.folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
