"""A file of evaluations, a JSON line each after a first line that says how they were measured.

    {"lodestar": "points", "format": 1, "protocol": {...}}
    {"setting": {"guidance": "cfg(3)", ...}, "numbers": {"FD": {"value": 1.2, "low": ..., "splits": [...]}}, ...}

A line is on the disk before the next point is begun, so that a kill loses the point at work and no other. What a kill
left of a half-written last line is cut off when the file is opened again.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import refuse_other, write_file, writing
from .setting import Evaluation, Setting

FORMAT = 1
FREE = {"versions", "batch"}  # what may differ between two halves of a file: numbers do not depend on it


@dataclass(frozen=True)
class Points:
    """What is in such a file, in the order in which it was measured."""

    path: Path
    protocol: Mapping[str, Any]
    done: dict[str, Evaluation] = field(default_factory=dict)  # by the settings' keys

    @classmethod
    def open(cls, path: Path | str, protocol: Mapping[str, Any]) -> Points:
        """The file at a path, new or to go on with. Raises UsageError where it was measured in another way.

        Of other versions of programs, and other batches, it warns. A file without any point is begun anew.
        """
        path, told = Path(path), json.loads(json.dumps(protocol))
        found = cls.read(path, mend=True) if path.exists() and path.stat().st_size else None
        if not found:
            write_file(path, _line({"lodestar": "points", "format": FORMAT, "protocol": told}))
            return cls(path, told)
        _same(path, found.protocol, told)
        return found

    @classmethod
    def read(cls, path: Path | str, mend: bool = False) -> Points:
        """What is in a file. Raises UsageError for anything else than such a file, and for a damaged line in it.

        A last line that is only half there is left out with a warning, and with `mend` cut off.
        """
        path = Path(path)
        whole, rest = _lines(path)
        if rest:
            warnings.warn(f"{path} ends in half a line, of a point that was not finished: it is left out", stacklevel=2)
        first = _read(path, 1, whole[0]) if whole else {}
        told = first.get("protocol")
        if first.get("lodestar") != "points" or first.get("format") != FORMAT or not isinstance(told, dict):
            raise UsageError(f"{path} is no file of points: give one that lodestar sweep or compare made")
        found = [_evaluation(path, i, line) for i, line in enumerate(whole[1:], 2)]
        if mend and rest:
            with writing(path):
                os.truncate(path, path.stat().st_size - len(rest))
        return cls(path, told, {each.setting.key: each for each in found})

    def add(self, evaluation: Evaluation) -> None:
        """Append a point; it is on the disk when this returns."""
        with writing(self.path):
            refuse_other(self.path)
            with self.path.open("ab") as file:
                file.write(_line(evaluation.to_json()))
                file.flush()
                os.fsync(file.fileno())
        self.done[evaluation.setting.key] = evaluation

    def get(self, setting: Setting, measure: Callable[[], Evaluation]) -> Evaluation:
        """The evaluation of a setting; measured, and added, where there is none."""
        if setting.key not in self.done:
            self.add(measure())
        return self.done[setting.key]

    def __iter__(self) -> Iterator[Evaluation]:
        return iter(self.done.values())

    def __len__(self) -> int:
        return len(self.done)


def _line(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False) + "\n").encode()


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    """The whole lines, and what follows the last line's end."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    *whole, rest = data.split(b"\n")
    return whole, rest


def _read(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{path}, line {number}, is damaged: remove that line, and its point is measured again")
    return found


def _evaluation(path: Path, number: int, line: bytes) -> Evaluation:
    try:
        return Evaluation.from_json(_read(path, number, line))
    except (TypeError, KeyError, AttributeError):
        raise UsageError(f"{path}, line {number}, is no point of this Lodestar: write into another file") from None


def _same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError where something was measured otherwise before."""
    other = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    grave = [name for name in other if name not in FREE]
    if grave:
        what = f"{grave[0]} {before.get(grave[0])} and now {now.get(grave[0])}"
        raise UsageError(f"{path} was measured otherwise: {what}; write into another file")
    if other:
        what = ", ".join(f"{name} {before.get(name)}" for name in other)
        warnings.warn(f"{path} was begun otherwise: {what}", stacklevel=3)
