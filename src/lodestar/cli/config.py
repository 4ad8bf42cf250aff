"""Commands as JSON and back, exactly: `--dry-run` prints what `--config` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import UsageError, unknown
from .command import Command

C = TypeVar("C", bound=Command)

# No part of a configuration: how it came, whether to run it, and where the results go.
UNSAID = ("config", "dry_run", "json")


def to_json(command: Command) -> dict[str, object]:
    """The command's name and all of its options, as JSON values."""
    options = {k: v for k, v in plain(command).items() if k not in UNSAID}
    return {"command": command.name(), **options}


def plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, paths as texts."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def read(path: Path, name: str) -> dict[str, Any]:
    """The options in a configuration file, or in a results file, which holds its configuration.

    Raises UsageError if it is neither, or another command's than `name`.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read --config {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"--config {path} is no JSON: {error}") from None
    data = data.get("config", data) if isinstance(data, dict) else data
    if not isinstance(data, dict) or "command" not in data:
        raise UsageError(f"--config {path} is no configuration: make one with lodestar {name} ... --dry-run")
    if data.pop("command") != name:
        raise UsageError(f"--config {path} is not a configuration of lodestar {name}")
    return {k: v for k, v in data.items() if k not in UNSAID}


def from_json(default: C, data: Mapping[str, Any], where: str) -> C:
    """The command with the options in data, the others as in default. Raises UsageError on what is no option of it."""
    return _filled(default, data, where)


def _filled(default: Any, data: Mapping[str, Any], where: str) -> Any:
    """A dataclass with some fields replaced, nested ones in part."""
    hints, known = get_type_hints(type(default)), [f.name for f in fields(default) if f.init]
    for name in data:
        if name not in known:
            raise unknown(f"option in {where}", name, known)
    return replace(default, **{k: _value(hints[k], getattr(default, k), v, f"{where}: {k}") for k, v in data.items()})


def _value(hint: Any, default: Any, value: Any, where: str) -> Any:
    """A JSON value as the type that a field has."""
    if is_dataclass(default) and isinstance(value, Mapping):
        return _filled(default, value, where)
    for kind in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        found = _as(kind, value, where)
        if found is not MISSING:
            return found
    raise UsageError(f"{where} cannot be {json.dumps(value)}")


def _as(kind: Any, value: Any, where: str) -> Any:
    """The value as this type, or MISSING where it is none."""
    if get_origin(kind) is tuple and isinstance(value, list):
        kinds = get_args(kind)
        each = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else kinds
        if len(each) != len(value):
            return MISSING
        return tuple(_value(k, None, v, where) for k, v in zip(each, value, strict=True))
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else MISSING
    if is_dataclass(kind) and isinstance(value, Mapping):
        return _filled(kind(), value, where)  # type: ignore[operator]
    if get_origin(kind) is Mapping and isinstance(value, Mapping):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    same = isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return value if same or (kind in (None, NoneType) and value is None) else MISSING
