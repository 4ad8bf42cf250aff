"""The folder of a run: claimed before anything is written, and its configuration, which a resumed run must share.

In it: config.json, tokenizer.json, log.jsonl, checkpoints/, samples/, tensorboard/, model/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..conditions import Schema, TextSchema, Tokenizer
from ..errors import UsageError
from ..files import write_files
from ..version import __version__
from .presets import Preset

_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"
# What may change when a run goes on: it changes neither the steps done nor what a step does.
_FREE = {"steps", "images", "log_every", "validate_every", "validate_images", "sample_every", "checkpoint_every"}
_FREE |= {"checkpoint_seconds", "keep", "threads"}
_NOTES = {"train", "command", "licence", "measured", "guidance", "sampler", "steps"}


def claim(out: Path, resume: bool) -> None:
    """Raises UsageError if a new run would write into another's folder, or if there is none to resume."""
    there = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if there and not resume:
        raise UsageError(f"{out} is not empty: choose another --out, or --resume to go on with the run in it")
    if resume and not (out / _CONFIG).is_file():
        raise UsageError(f"there is no run to resume in {out} (no {_CONFIG}): leave --resume out to start one")


def record(out: Path, preset: Preset, schema: Schema, **notes: object) -> None:
    """Write the configuration, first of all."""
    files = {}
    if isinstance(schema, TextSchema) and schema.tokenizer is not None:
        files[_TOKENIZER] = schema.tokenizer.to_json().encode()
    data = {"preset": described(preset), **{k: plain(v) for k, v in notes.items()}, "versions": versions()}
    files[_CONFIG] = (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
    write_files(out, files)


def recorded(out: Path) -> dict[str, Any]:
    """What `record` wrote. Raises UsageError if it cannot be read."""
    try:
        data = json.loads((out / _CONFIG).read_text("utf-8"))
        data["preset"]["train"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{out / _CONFIG} is damaged or not of a run: start in another folder") from None
    return data


def recorded_tokenizer(out: Path) -> Tokenizer | None:
    path = out / _TOKENIZER
    return Tokenizer.from_json(path.read_text("utf-8")) if path.is_file() else None


def continued(preset: Preset, data: Mapping[str, Any]) -> Preset:
    """The preset as the run in `data` has it. Raises UsageError, with the fields, if it is asked to go on otherwise."""
    before, train = data["preset"], preset.train
    if train.precision == "auto":
        preset = replace(preset, train=replace(train, precision=before["train"].get("precision", "auto")))
    now = described(preset)
    changed = _changed(before, now, _NOTES) + _changed(before["train"], now["train"], _FREE)
    if changed:
        raise UsageError(f"the run was started with another {', '.join(changed)}: give the same, or another --out")
    return preset


def described(preset: Preset) -> dict[str, Any]:
    """A preset as JSON values."""
    tagged = {name: {"kind": type(v).__name__, **plain(v)} for name, v in _parts(preset).items()}
    return {**plain(preset), **tagged}


def _parts(preset: Preset) -> dict[str, object]:
    """The fields that hold one of several classes."""
    return {"process": preset.process, "density": preset.density}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], free: set[str]) -> list[str]:
    return [k for k in now if k not in free and k in before and now[k] != before[k]]  # fields may have been added


def versions() -> dict[str, str]:
    return {"lodestar": __version__, "torch": torch.__version__}


def plain(value: Any) -> Any:
    """JSON values: dataclasses as objects, tuples as lists."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
