"""The folder of a run: claimed before anything is written, and its configuration, which a resumed run must share.

In it: config.json, tokenizer.json, log.jsonl, checkpoints/, samples/, tensorboard/, early/, model/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from ..conditions import Schema, Tokenizer, tokenizer_in
from ..data import differences
from ..errors import UsageError
from ..files import write_files
from ..version import __version__
from .named import AnyPreset

_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"
# What may change when a run goes on: it changes neither the steps done nor what a step does.
_FREE = {"steps", "images", "log_every", "validate_every", "validate_images", "sample_every", "checkpoint_every"}
_FREE |= {"checkpoint_seconds", "keep", "threads", "early"}
_WHOLE = {"drop"}  # a table, of which no entry may have been added
_NOTES = {"train", "command", "licence", "measured", "guidance", "sampler", "steps", "grid"}


def claim(out: Path, resume: bool) -> None:
    """Raises UsageError if a new run would write into another's folder, or if there is none to resume."""
    if not resume and out.exists() and (not out.is_dir() or any(not _stray(path) for path in out.iterdir())):
        raise UsageError(f"{out} is not empty: choose another --out, or --resume to go on with the run in it")
    if resume and not (out / _CONFIG).is_file():
        raise UsageError(f"there is no run to resume in {out} (no {_CONFIG}): leave --resume out to start one")


def _stray(path: Path) -> bool:
    """Whether a file is of a start that was killed before it wrote its configuration, which comes last."""
    return path.name == _TOKENIZER or path.suffix == ".part"


def record(out: Path, preset: AnyPreset, schema: Schema, **notes: object) -> None:
    """Write the configuration, first of all. Raises UsageError if another run has begun in the folder since `claim`."""
    claim(out, resume=False)
    files = {}
    if (tokenizer := tokenizer_in(schema)) is not None:
        files[_TOKENIZER] = tokenizer.to_json().encode()
    data = _json({"preset": described(preset), **notes, "versions": versions()})
    files[_CONFIG] = (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
    write_files(out, files)


def recorded(out: Path) -> dict[str, Any]:
    """What `record` wrote. Raises UsageError if it cannot be read."""
    try:
        data = json.loads((out / _CONFIG).read_text("utf-8"))
        data["preset"]["train"], data["source"], data["init"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{out / _CONFIG} is damaged or not of a run: start in another folder") from None
    return data


def started_by(out: Path) -> str:
    """The command that the run in a folder was started by. Raises UsageError if there is no run in it."""
    claim(out, resume=True)
    return str(recorded(out)["preset"].get("command", ""))


def recorded_tokenizer(out: Path) -> Tokenizer | None:
    """The tokenizer that `record` wrote, if there was one. Raises UsageError if it cannot be read."""
    path = out / _TOKENIZER
    try:
        return Tokenizer.from_json(path.read_text("utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        raise UsageError(f"{path} is damaged: start in another folder") from None


def continued(preset: AnyPreset, data: Mapping[str, Any]) -> AnyPreset:
    """The preset as the run in `data` has it. Raises UsageError, with the fields, if it is asked to go on otherwise."""
    before, train = data["preset"], preset.train
    if train.precision == "auto":
        preset = replace(preset, train=replace(train, precision=before["train"].get("precision", "auto")))
    now = described(preset)
    changed = _changed(_whole(before, preset), now, _NOTES)
    changed += _changed(_whole(before["train"], preset.train), now["train"], _FREE)
    if changed:
        raise UsageError(f"the run was started with another {', '.join(changed)}: give the same, or another --out")
    return preset


def refuse_other_data(now: Mapping[str, object], data: Mapping[str, Any]) -> None:
    """Raises UsageError if a source that describes itself so is not the one that the run in `data` is of."""
    other = differences(data["source"], _json(now))
    if other:
        mend = "give the same --data and its options, or another --out"
        raise UsageError(f"the run was started on other data ({', '.join(other)}): {mend}")


def described(preset: AnyPreset) -> dict[str, Any]:
    """A preset as JSON values; of the fields that hold one of several classes, which one."""
    parts: dict[str, Any] = {"process": preset.process, "density": preset.density}
    tagged = {name: {"kind": type(part).__name__, **asdict(part)} for name, part in parts.items()}
    return _json({**asdict(preset), **tagged})


def _whole(before: Mapping[str, Any], now: Any) -> dict[str, Any]:
    """What was recorded, and for fields that were added since then their defaults, which change nothing."""
    plain = {f.name: f.default for f in fields(now) if isinstance(f.default, str | int | float | None)}
    return {**plain, **before}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], free: set[str]) -> list[str]:
    there = [k for k in now if k not in free and k in before]
    return [k for k in there if (before[k] != now[k] if k in _WHOLE else _differ(before[k], now[k]))]


def _differ(before: object, now: object) -> bool:
    """Whether two values do, in what both have: fields may have been added, or taken away."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return any(_differ(before[k], now[k]) for k in now if k in before)
    return before != now


def versions() -> dict[str, str]:
    return {"lodestar": __version__, "torch": torch.__version__}


def _json(value: Mapping[str, object]) -> dict[str, Any]:
    """The values as they come back from a file: tuples are lists, paths texts."""
    return json.loads(json.dumps(value, default=str))
