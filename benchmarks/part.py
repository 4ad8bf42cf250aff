"""One part of a long training run: `python -m benchmarks.part PRESET OUT [DATA] [field=value ...]`.

For machines without the command line's packages (no tyro is needed, and for scenes no `datasets`). A run that is in OUT
already goes on; SIGTERM, as `timeout` sends it, ends the part with a checkpoint. Fields are those of TrainConfig.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lodestar.data import Reading, Source, open_source
from lodestar.data.scenes.source import ScenesSource
from lodestar.errors import UsageError
from lodestar.train import Preset, preset, train


def part(chosen: Preset, out: Path, data: str | None, settings: Sequence[str]) -> str:
    """Train on; what was reached, in a line. OUT/half holds the averaged weights in half precision."""
    fields: dict[str, Any] = {k: _value(v) for k, v in (setting.split("=", 1) for setting in settings)}
    chosen = replace(chosen, train=replace(chosen.train, **fields))
    run = train(chosen, source(chosen, data), out, resume=(out / "config.json").is_file())
    run.model.save(out / "half", torch.float16)
    return json.dumps({"steps": run.steps, "stopped": run.stopped, "seconds": round(run.seconds, 1), **run.last})


def source(chosen: Preset, data: str | None) -> Source:
    """The data a preset is trained on; class-labelled pictures are mirrored."""
    if data is None:
        return ScenesSource(chosen.resolution)
    return open_source(data, chosen.resolution, Reading(flip=chosen.condition == "label"))


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(words: Sequence[str]) -> int:
    plain = [word for word in words if "=" not in word]
    try:
        if len(plain) not in (2, 3):
            raise UsageError("say PRESET OUT [DATA] [field=value ...]")
        data = plain[2] if len(plain) == 3 else None
        print(part(preset(plain[0]), Path(plain[1]), data, [word for word in words if "=" in word]))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
