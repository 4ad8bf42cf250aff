"""What the program says: tables on stdout; errors, warnings and progress on stderr, a line each."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from ..errors import UsageError
from ..files import refuse_other, write_file, writing

if TYPE_CHECKING:
    from rich.progress import Progress

WIDTH = 160  # characters of a table that goes into a file or a pipe, or more where its texts need them
TEXT = 24  # of a column of texts at least, if they are as long


def say(kind: str, message: str) -> None:
    """One line on stderr: `lodestar: error: ...`."""
    from rich.console import Console
    from rich.text import Text

    style = {"error": "bold red", "warning": "bold yellow"}.get(kind, "bold")
    line = Text.assemble((f"lodestar: {kind}: ", style), " ".join(message.split()))
    Console(stderr=True, highlight=False).print(line, soft_wrap=True)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Warnings meant for users, each once, as `lodestar: warning: ...`."""
    said: set[str] = set()

    def line(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, UserWarning) and str(message) not in said:
            said.add(str(message))
            say("warning", str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = line
        yield


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """A table on stdout; the columns in `right` are numbers."""
    from rich.console import Console
    from rich.table import Table

    cells = [tuple(map(str, row)) for row in rows]
    drawn = Table(box=None, pad_edge=False, header_style="bold", show_header=any(heads))
    for head in heads:
        side: Literal["left", "right"] = "right" if head in right else "left"
        drawn.add_column(head, justify=side, no_wrap=head in right, overflow="fold")  # nothing is left out
    for row in cells:
        drawn.add_row(*row)
    width = None if sys.stdout.isatty() else max(WIDTH, _least(heads, cells, right))
    console = Console(highlight=False, markup=False, width=width)
    with console.capture() as captured:
        console.print(drawn)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _least(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> int:
    """The width at which no text is folded into a few characters a line."""
    longest = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return sum(n + 2 if head in right else min(n, TEXT) + 2 for head, n in zip(heads, longest, strict=True))


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on stderr that is gone at the end; none where nobody looks at it."""
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def print_json(data: object) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False))


def json_bytes(data: object) -> bytes:
    """A JSON file's content."""
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, data: object) -> None:
    write_file(path, json_bytes(data))


def check_file(path: Path) -> None:
    """Raise UsageError if this file could not be written, as far as one can know without writing it."""
    with writing(path):
        refuse_other(path)
        check_folder(path.parent)


def check_picture(path: Path, results: Path | None, *read: Path | None) -> None:
    """Raise UsageError if no picture could be written there, beside the results that --json asks for.

    What is read is not written over: neither of the two may be one of these files.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"--out {path} must end in .png, which is what is written")
    if results is not None and results.absolute() == path.absolute():
        raise UsageError(f"--json {results} is where the picture goes: give another file")
    kept = {file.resolve() for file in read if file is not None}
    for option, file in (("--out", path), ("--json", results)):
        if file is not None and file.resolve() in kept:
            raise UsageError(f"{option} {file} is what is read, and would be lost: give another file")
    check_file(path)


def check_folder(path: Path) -> None:
    """Raise UsageError if nothing could be written into this folder, or if it could not be made."""
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    with writing(path):
        if not there.is_dir():
            raise NotADirectoryError(20, os.strerror(20))
        tempfile.TemporaryFile(dir=there).close()  # asks the file system itself, read-only ones too


def hush_broken_pipe() -> None:
    """After `lodestar ... | head`: nobody reads any more, so let the interpreter's own flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
