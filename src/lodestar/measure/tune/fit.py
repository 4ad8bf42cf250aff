"""A fitted schedule (consistency.py) among what is searched: as it was fitted, and with its height open.

It is kept in a file, so that a search that goes on elsewhere goes on with the same one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...files import write_file
from ..consistency import Fitted


def candidates(path: Path, asked: Mapping[str, Any], fit: Callable[[], Fitted]) -> tuple[str, ...]:
    """The rules; those in the file, where it is there. Raises UsageError if they were fitted otherwise."""
    if not path.exists():
        rules = _rules(fit())
        write_file(path, (json.dumps({"asked": asked, "rules": rules}, indent=1, ensure_ascii=False) + "\n").encode())
    return _read(path, asked)


def _rules(found: Fitted) -> list[str]:
    """A schedule that is nowhere above 0 has no height."""
    return [str(found), *([f"schedule(cfg, {found.shape})"] if any(found.weights) else [])]


def _read(path: Path, asked: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        told = json.loads(path.read_bytes())
        before, rules = told["asked"], tuple(map(str, told["rules"]))
    except (ValueError, KeyError, TypeError, OSError):
        raise UsageError(f"{path} is damaged: remove it, and the schedule is fitted again") from None
    if before != json.loads(json.dumps(asked)):
        raise UsageError(f"{path} was fitted to another model, other pictures or another seed: take another --out")
    return rules
