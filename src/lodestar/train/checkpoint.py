"""Checkpoints: everything that a run needs to go on as if it had never stopped. Safetensors and JSON, no code.

    step-00001000/  state.json  weights.safetensors  average.safetensors  optimizer.safetensors

One is written beside its place and moved into it: at any moment, even of a kill or a full disk, the last one is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import UsageError
from ..files import write_files, writing
from .config import TrainConfig
from .ema import Ema
from .moments import moments, set_moments

FORMAT = 1
FOLDER = "checkpoints"  # in the folder of a run
_STATE = "state.json"
_PARTS = ("weights", "average", "optimizer")


@dataclass(frozen=True)
class State:
    """All that changes while training; the rest is a function of the config and the step."""

    network: nn.Module
    ema: Ema
    optimizer: Optimizer

    def update(self, step: int) -> None:
        """One step of the optimizer along the gradients, which are gone then, and of the average."""
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update(self.network, step)


class Checkpoints:
    """The checkpoints of one run, in one folder."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        self.folder, self.config = folder, config
        self._saved = monotonic()

    def due(self, steps: int) -> bool:
        """Whether it is time, after so many steps."""
        late = monotonic() - self._saved >= self.config.checkpoint_seconds
        return steps % self.config.checkpoint_every == 0 and late

    def save(self, state: State, steps: int) -> None:
        """The checkpoint after so many steps; the oldest is removed. Raises UsageError if it cannot be written."""
        last, part = self.last(), self.folder / ".part"
        if last == self._path(steps):  # the same step of the same run: bit for bit the same
            return
        try:
            with writing(self.folder):
                shutil.rmtree(part, ignore_errors=True)
                write_files(part, _files(state, steps))
                os.rename(part, self._path(steps))
                _sync(self.folder)
        except UsageError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise UsageError(f"{error}; {_rest(last)}") from error
        self._saved = monotonic()
        for old in self.all()[: -self.config.keep]:
            shutil.rmtree(old)

    def restore(self, state: State) -> int:
        """Read the last checkpoint into the state; how many steps it is of, 0 if there is none.

        Raises UsageError if it is damaged or another network's, and names the one before it.
        """
        paths = self.all()
        if not paths:
            return 0
        try:
            return _read(paths[-1], state)
        except UsageError as error:
            whole = next((p for p in reversed(paths[:-1]) if is_whole(p)), None)
            mend = f"remove it, and --resume goes on from {whole}" if whole else "start anew in another folder"
            raise UsageError(f"checkpoint {paths[-1]} {error}: {mend}") from error

    def all(self) -> list[Path]:
        """Oldest first."""
        return _all(self.folder)

    def last(self) -> Path | None:
        return next(reversed(self.all()), None)

    def _path(self, steps: int) -> Path:
        return self.folder / f"step-{steps:08}"


def has_checkpoints(folder: Path) -> bool:
    return bool(_all(folder))


def is_whole(path: Path) -> bool:
    """Whether a checkpoint can be read."""
    try:
        _state(path)
        return all(_tensors(path, name) is not None for name in _PARTS)
    except UsageError:
        return False


def fill(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in place, so that memory layout and device stay. Raises UsageError if names or shapes differ."""
    own = network.state_dict()
    wrong = sorted(own.keys() ^ tensors.keys()) or [n for n in own if own[n].shape != tensors[n].shape]
    if wrong:
        raise UsageError(f"is of another network ('{wrong[0]}' does not fit)")
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*[0-9]"))


def _files(state: State, steps: int) -> dict[str, bytes]:
    return {
        "weights.safetensors": _bytes(state.network.state_dict()),
        "average.safetensors": _bytes(state.ema.network.state_dict()),
        "optimizer.safetensors": _bytes(moments(state.optimizer, state.network)),
        _STATE: json.dumps({"lodestar_checkpoint": FORMAT, "steps": steps}).encode(),
    }


def _bytes(tensors: Mapping[str, Tensor]) -> bytes:
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def _read(path: Path, state: State) -> int:
    steps = _state(path)
    weights, average, optimizer = (_tensors(path, name) for name in _PARTS)
    fill(state.network, weights)
    fill(state.ema.network, average)
    set_moments(state.optimizer, state.network, optimizer)
    state.ema.restored(steps)
    return steps


def _state(path: Path) -> int:
    try:
        data = json.loads((path / _STATE).read_text("utf-8"))
        known = data["lodestar_checkpoint"] == FORMAT
        steps = int(data["steps"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"has no readable {_STATE}") from None
    if not known:
        raise UsageError(f"is not of format {FORMAT}")
    return steps


def _tensors(path: Path, name: str) -> dict[str, Tensor]:
    try:
        return load_file(path / f"{name}.safetensors")
    except (OSError, SafetensorError) as error:
        raise UsageError(f"is damaged ({name}.safetensors: {error})") from None


def _rest(last: Path | None) -> str:
    return f"{last} is whole, and --resume goes on from it" if last else "there is no earlier checkpoint"


def _sync(folder: Path) -> None:
    """Make a rename last; some systems cannot open a folder, and need not."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
