"""The folder that a model is saved in: config.json, model.safetensors, and tokenizer.json for a text model.

Reading it runs no code from it. Knows files, and nothing of what a model is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from .errors import UsageError, unknown
from .files import write_files

FORMAT = 1
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
KEYS = ("name", "kind", "process", "network", "schema", "shape", "card")
SHIPPED = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Contents:
    """What such a folder holds."""

    config: Mapping[str, object]  # the KEYS, JSON values
    weights: Mapping[str, Tensor]  # as stored
    tokenizer: str | None = None  # JSON


def write(folder: Path | str, contents: Contents, dtype: torch.dtype) -> None:
    """Write all of a model's files or none, the floats as dtype. Raises UsageError where that cannot be.

    A folder that is there keeps its other files. A config.json of somebody else's is not replaced.
    """
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise UsageError(f"weights are stored as floats, as torch.float16, not as {dtype}")
    folder = Path(folder)
    if (folder / CONFIG).exists():
        _refuse_foreign(folder)
    config = {"format": FORMAT, **contents.config}
    files = {WEIGHTS: safetensors_bytes({k: _stored(k, t, dtype) for k, t in contents.weights.items()})}
    if contents.tokenizer is not None:
        files[TOKENIZER] = contents.tokenizer.encode()
        config["tokenizer"] = sha256(files[TOKENIZER]).hexdigest()
    write_files(folder, {**files, CONFIG: _config_bytes(config)})


def retell(folder: Path, card: Mapping[str, object]) -> None:
    """Put these entries into a saved model's card; all else stays, and the weights are not touched.

    Raises UsageError for a shipped model, and where that cannot be written; config.json is then as it was.
    """
    if folder.resolve().parent == SHIPPED.resolve():
        raise UsageError(f"'{folder.name}' is shipped and stays as it is: copy the folder {folder} and write into that")
    config = read_config(folder)
    told = {**config, "card": {**cast("dict[str, object]", config["card"]), **card}}
    write_files(folder, {CONFIG: _config_bytes(told)})


def _config_bytes(config: Mapping[str, object]) -> bytes:
    return (json.dumps(config, indent=1, ensure_ascii=False) + "\n").encode()


def read(folder: Path) -> Contents:
    """What `write` wrote. Raises UsageError, naming the file, where it is missing, damaged or somebody else's."""
    config = read_config(folder)
    try:
        weights = read_safetensors(_bytes(folder / WEIGHTS))
    except SafetensorError as error:
        raise UsageError(f"{folder / WEIGHTS} is damaged or no safetensors file ({error}): copy it again") from None
    tokenizer = _tokenizer(folder / TOKENIZER, config["tokenizer"]) if "tokenizer" in config else None
    return Contents(config, weights, tokenizer)


def read_config(folder: Path) -> dict[str, object]:
    """config.json alone, with all of KEYS."""
    path = folder / CONFIG
    try:
        config = json.loads(_bytes(path))
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {error}") from None
    if not isinstance(config, dict) or "format" not in config:
        mend = _inside(folder, "it has no 'format'")
        raise UsageError(f"{path} is not the configuration of a Lodestar model: {mend}")
    if config["format"] != FORMAT:
        raise UsageError(f"{path} has format {config['format']}, this Lodestar reads {FORMAT}: use the one it is of")
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise UsageError(f"{path} is damaged: it has no '{missing[0]}'")
    return config


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights in fp32. Raises UsageError, with the first name, if they are not this network's or not finite."""
    expected = network.state_dict()
    for problem, names in _misfits(expected, weights).items():
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UsageError(f"{path} does not fit its {CONFIG}: {problem} '{names[0]}'{more}")
    network.load_state_dict({k: t.to(expected[k].dtype) for k, t in weights.items()})


def shipped(*kinds: str) -> list[str]:
    """Names of the shipped models, or of those of these kinds."""
    folders = sorted(path.parent for path in SHIPPED.glob(f"*/{CONFIG}"))
    return [folder.name for folder in folders if not kinds or read_config(folder)["kind"] in kinds]


def find(name: Path | str, what: str = "model", names: Iterable[str] | None = None) -> Path:
    """The folder of a shipped model, or else this folder itself.

    Raises UsageError if it is neither, for a bare name with those that there are: `names`, or else all shipped ones.
    """
    there = shipped()
    if str(name) in there:
        return SHIPPED / str(name)
    path = Path(name)
    if (path / CONFIG).is_file():
        return path
    if path.is_dir():
        mend = _inside(path, "give the folder that holds one")
        raise UsageError(f"folder '{path}' has no {CONFIG}, so it is no model: {mend}")
    if path.exists() or str(name) != path.name:
        raise UsageError(f"there is no model folder at '{name}': give the folder that holds {CONFIG}")
    raise UsageError(f"{unknown(what, str(name), there if names is None else names)} (or give the folder of one)")


def _tokenizer(path: Path, digest: object) -> str:
    text = _bytes(path)
    if sha256(text).hexdigest() != digest:
        raise UsageError(f"{path} is damaged or another model's: copy the one that was saved with it")
    return text.decode()


def _inside(path: Path, otherwise: str) -> str:
    """What to add of a folder that is no model: the one inside that is, of a training run's the last, its model/."""
    found = sorted(p.parent for p in path.glob(f"*/{CONFIG}"))
    return f"did you mean '{found[-1]}'?" if found else otherwise


def _refuse_foreign(folder: Path) -> None:
    try:
        read_config(folder)
    except UsageError as error:
        raise UsageError(f"will not replace what is there: {error}") from None


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """On the CPU, floats as dtype, in memory of its own as safetensors asks."""
    stored = tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype, copy=True).contiguous()
    if not bool(stored.isfinite().all()):
        why = f"too large for {dtype}" if bool(tensor.isfinite().all()) else "not finite"
        raise UsageError(f"cannot save: weight '{name}' is {why}")
    return stored


def _misfits(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, list[str]]:
    both = [k for k in expected if k in weights]
    return {
        "it lacks": [k for k in expected if k not in weights],
        "it has an unknown": [k for k in weights if k not in expected],
        "of another shape is": [k for k in both if expected[k].shape != weights[k].shape],
        "not finite is": [k for k in both if not bool(weights[k].isfinite().all())],
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
