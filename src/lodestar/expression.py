"""The little language of rules and samplers: `interval(cfg([2, 6]), lo=.28, hi=inf)` to a tree and back.

    value  = number | text | list | call            a number may be inf or nan, with a sign
    list   = "[" [value {"," value}] "]"
    call   = name ["(" [item {"," item}] ")"]       a bare name is a call of nothing: `ddim` is `ddim()`
    item   = value | name "=" value                 keywords after positions
    text   = "double" or 'single' quoted, with the escapes \\n \\t \\r \\\\ \\" \\'

The words none, true, false, inf and nan are values in any case. Nothing is ever evaluated: what a name means is its
reader's affair. Imports nothing of this library but its errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from .errors import UsageError, unknown


@dataclass(frozen=True)
class Call:
    """A name with what it is given: positional values, then keywords in the order written."""

    name: str
    args: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()
    position: int = field(default=0, compare=False)  # of the name in the text, from 0

    def __str__(self) -> str:
        items = [show(a) for a in self.args] + [f"{k}={show(v)}" for k, v in self.keywords]
        return f"{self.name}({', '.join(items)})" if items else self.name

    def bind(self, names: Sequence[str]) -> dict[str, Value]:
        """What is given, by name, positions first. Raises UsageError on unknown names, on a name twice, on too many."""
        if len(self.args) > len(names):
            some = "value" if len(names) == 1 else "values"
            takes = f"at most {len(names)} {some} ({', '.join(names)})" if names else "no values"
            raise UsageError(f"{self.name} takes {takes}, got {len(self.args)}")
        given = dict(zip(names, self.args, strict=False))
        for name, value in self.keywords:
            if name not in names:
                raise unknown(f"field of {self.name}", name, names)
            if name in given:
                raise UsageError(f"{self.name} is given {name} twice")
            given[name] = value
        return given

    def numbers(self, names: Sequence[str]) -> dict[str, float]:
        """`bind`, where only numbers will do. Raises UsageError on anything else."""
        given: dict[str, float] = {}
        for name, value in self.bind(names).items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"{name} of {self.name} must be a number, got {show(value)}")
            given[name] = value
        return given


Value: TypeAlias = int | float | str | bool | tuple["Value", ...] | Call | None  # a list is a tuple
T = TypeVar("T")

DEPTH = 50  # brackets inside brackets; more is a mistake, and Python's stack is finite
_WORDS: dict[str, Value] = {"none": None, "true": True, "false": False, "inf": float("inf"), "nan": float("nan")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|(?:[iI][nN][fF]|[nN][aA][nN])\b))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<mark>[()\[\],=])
    | (?P<end>\Z)
    | (?P<bad>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


def parse(text: str) -> Value:
    """The value that the whole of this text stands for. Raises UsageError, in one line, with the position."""
    reader = _Reader(text)
    value = reader.value(0)
    if reader.kind != "end":
        raise reader.error("nothing more")
    return value


def parse_call(text: str) -> Call:
    """The same, where only a name, with or without arguments, will do."""
    value = parse(text)
    if not isinstance(value, Call):
        raise UsageError(f"cannot read {text!r}: expected a name such as cfg(4), got {show(value)}")
    return value


def show(value: Value) -> str:
    """The text of a value; `parse(show(value)) == value` (whole floats print as integers)."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(show, value))}]"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _quote(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


class _Reader:
    """Recursive descent with one token in hand: its kind, its text and where it starts."""

    def __init__(self, source: str) -> None:
        self.source, self.next = source, 0
        self.kind = self.text = ""
        self.start = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.source, self.next)
        assert match is not None  # `bad` takes any character
        self.kind = match.lastgroup or "bad"
        self.text, self.start, self.next = match[self.kind], match.start(self.kind), match.end()

    def take(self) -> str:
        text = self.text
        self.advance()
        return text

    def value(self, depth: int) -> Value:
        if self.kind == "number":
            return _number(self.take())
        if self.kind == "text":
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), self.take()[1:-1], flags=re.DOTALL)
        if self.kind == "name":
            start = self.start
            return self.named(self.take(), start, depth)
        if self.text == "[":
            return tuple(self.items("]", depth, lambda: self.value(depth + 1)))
        raise self.error("a value")

    def named(self, name: str, start: int, depth: int) -> Value:
        """What begins with a name: a word with a meaning of its own, or a call."""
        if name.lower() in _WORDS:
            return _WORDS[name.lower()]
        args: list[Value] = []
        keywords: dict[str, Value] = {}
        if self.text == "(":
            self.items(")", depth, lambda: self.item(args, keywords, depth + 1))
        return Call(name, tuple(args), tuple(keywords.items()), start)

    def item(self, args: list[Value], keywords: dict[str, Value], depth: int) -> None:
        """One argument, put where it belongs."""
        start, kind = self.start, self.kind
        name = self.take() if kind == "name" else ""
        if name and self.text == "=":
            self.advance()
            if name in keywords:
                raise self.fault(f"'{name}' is given twice, again", start)
            keywords[name] = self.value(depth)
        elif keywords:
            raise self.fault("a value without a name follows one with a name", start)
        else:
            args.append(self.named(name, start, depth) if name else self.value(depth))

    def items(self, close: str, depth: int, one: Callable[[], T]) -> list[T]:
        """What stands between brackets, with commas between."""
        if depth >= DEPTH:
            raise self.error(f"at most {DEPTH} brackets inside each other")
        self.advance()
        found: list[T] = []
        while self.text != close:  # a quoted ")" has its quotes, so the text is enough
            found.append(one())
            if self.text == ",":
                self.advance()
            elif self.text != close:
                raise self.error(f"',' or '{close}'")
        self.advance()
        return found

    def error(self, expected: str) -> UsageError:
        got = "the end" if self.kind == "end" else repr(self.text)
        return self.fault(f"expected {expected}, got {got}", self.start)

    def fault(self, what: str, start: int) -> UsageError:
        return UsageError(f"cannot read {self.source!r}: {what} at character {start + 1}")


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d{1,300}", text) else float(text)
