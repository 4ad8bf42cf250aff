"""Arguments to a command: `tyro` reads them, and what it refuses becomes one line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from ..errors import UsageError, unknown
from . import config
from .command import Command

C = TypeVar("C", bound=Command)
T = TypeVar("T")

_NUMBERS = {int: "a whole number", float: "a number"}


def parse(cls: type[C], args: Sequence[str], default: C | None = None) -> C:
    """The command that these arguments say, on top of `--config` where they name one, and of `default`.

    Raises UsageError where they cannot be read, and SystemExit after printing the help.
    """
    given = read(cls, args, default)
    if given.config is None:
        return given
    base = cls() if default is None else default
    data = config.read(given.config, cls.name())
    return read(cls, args, config.from_json(base, given.kept(data, base), str(given.config)))


def read(cls: type[C], args: Sequence[str], default: C | None = None) -> C:
    """The command that these arguments say, on top of `default`. Raises UsageError where they cannot be read."""
    prog = f"lodestar {cls.name()}"
    try:
        command, rest = known(cls, args, prog, default)
    except SystemExit:
        _tyro(cls, args, prog, default)  # the help, as the terminal can show it
        raise
    if rest:
        raise _unexpected(rest, cls, default)
    return command


def known(
    cls: type[T], args: Sequence[str], prog: str, default: T | None = None, *, add_help: bool = True
) -> tuple[T, list[str]]:
    """What these arguments say of a dataclass, and the arguments that are none of its fields.

    Raises UsageError where they cannot be read, and SystemExit where they ask for the help.
    """
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):  # and so plain text, whatever the terminal can show
            return _tyro(cls, args, prog, default, add_help)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UsageError(f"{_line(said.getvalue())} (see {prog} --help)") from None


def _tyro(
    cls: type[T], args: Sequence[str], prog: str, default: T | None, add_help: bool = True
) -> tuple[T, list[str]]:
    base: dict[str, Any] = {} if default is None else {"default": default}
    options: dict[str, Any] = {"registry": _registry(), "config": _MARKERS, "add_help": add_help}
    return tyro.cli(cls, prog=prog, args=args, return_unknown_args=True, **options, **base)


_MARKERS = (tyro.conf.DisallowNone, tyro.conf.AvoidSubcommands)  # an option that is left out is none already


def _registry() -> ConstructorRegistry:
    """Numbers, with messages for people."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if info.type not in _NUMBERS:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=info.type.__name__.upper(),
            instance_from_str=_reader(info.type),
            is_instance=lambda x: isinstance(x, int | info.type) and not isinstance(x, bool),
            str_from_instance=lambda x: [str(x)],
        )

    return registry


def _reader(kind: Callable[[str], float]) -> Callable[[list[str]], float]:
    def read(texts: list[str]) -> float:
        try:
            return kind(texts[0])
        except ValueError:
            raise ValueError(f"expected {_NUMBERS[kind]}, got '{texts[0]}'") from None  # type: ignore[index]

    return read


def _line(box: str) -> str:
    """What tyro says between its title and its help, each under a rule, as one line."""
    parts = re.split(r"^ *-{4,} *$", box, flags=re.MULTILINE)
    text, help = (" ".join(part.split()) for part in [*parts, "", ""][1:3])
    where = re.match(r"Error parsing (\S+):", text)
    reasons = re.findall(r"(expected [^:]*? number, got '[^']*')", text)
    values = re.search(r"(?:valid parse for arguments:|instantiated from|Could not parse arguments) \[(.*?)\]", text)
    if where and (reasons or values):
        return f"{where[1]}: {reasons[-1] if reasons else _unreadable(values[1], help)}"  # type: ignore[index]
    missing = re.match(r"Missing value for argument '([^']*)'", text)
    if missing:
        return f"{missing[1]} needs a value"
    return re.sub(r"^Error parsing [\w.-]+: ", "", text).rstrip(".") or "cannot read these arguments"


def _unreadable(values: str, help: str) -> str:
    """What is wrong with several values: the first that is no number, where the help says that they are numbers."""
    words = [word for word in re.findall(r"'(.*?)'(?:,|$)", values) if not _is_number(word)]
    numbers = re.search(r"Argument helptext: \S+ \[*(INT|FLOAT)\b", help)
    return f"expected numbers, got '{words[0]}'" if words and numbers else f"cannot read {values}"


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False


def _unexpected(rest: Sequence[str], cls: type[C], default: C | None) -> UsageError:
    """The error for the first option that there is none of, or else for too many words."""
    option = next((word.partition("=")[0] for word in rest if word.startswith("-") and len(word) > 1), None)
    if option is None:
        return UsageError(f"unexpected {' '.join(map(repr, rest))}: put a text of several words in quotes")
    return unknown("option", option, options(cls, default))


def options(cls: type[C], default: C | None = None) -> set[str]:
    """The options of a command as they are written: what its help lists."""
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        read(cls, ["--help"], default)
    return set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", text.getvalue()))
