"""`python -m benchmarks [names] [--quick]`, from the repository root."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module

from .options import NAMES, Name, Options
from .report import Report


@dataclass(frozen=True)
class Command(Options):
    names: tuple[Name, ...] = NAMES


def run(name: Name, options: Options) -> Report:
    """One benchmark, its result saved."""
    report: Report = import_module(f"{__package__}.{name}").measure(options)
    report.save(options.folder, options.quick)
    return report


def main() -> int:
    import torch
    import tyro

    command = tyro.cli(Command, prog="python -m benchmarks", config=(tyro.conf.PositionalRequiredArgs,))
    torch.set_num_threads(command.threads or torch.get_num_threads())
    for name in command.names:
        print(run(name, command).to_markdown(command.quick))
    print(f"written to {command.folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
