"""A model: network, process, kind and schema under one name. What is trained, saved, loaded, guided and sampled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, TypeVar, cast, get_type_hints

import torch
from torch import Tensor, nn

from . import networks
from .conditions import (
    Condition,
    JointSchema,
    Schema,
    TextSchema,
    Tokenizer,
    Value,
    schema_from_json,
    schema_to_json,
    singles,
    tokenizer_in,
)
from .core import KINDS, Kind, Level, Prediction, convert
from .errors import UsageError, unknown
from .generate import sample, trajectory
from .guidance import Network, Predict
from .job import OnStep, Preview
from .model_folder import WEIGHTS, Contents, fill, find, read, write
from .precision import PRECISIONS, Precision, autocast
from .process import Process, process_from_json, process_to_json
from .request import Defaults, Guidance, Prompts, Seed
from .result import Result
from .samplers import Sampler


@dataclass(frozen=True, eq=False)
class Model:
    """A raw network and what its output means.

    `card` is JSON: the defaults `guidance`, `sampler`, `steps` and `grid`, and `recipe`, `measured` and `licence`.
    Raises UsageError for images that the network is not for, and for defaults that cannot be used.
    """

    network: (
        nn.Module
    )  # (x [B, C, H, W], level, context) -> [B, C, H, W], or several by name, with encode(condition) and a config
    process: Process
    kind: Kind
    schema: Schema
    shape: tuple[int, int, int]  # C, H, W
    name: str = "model"
    card: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None  # where it was loaded from
    precision: Precision = "fp32"  # of the network's products and convolutions; all else is fp32

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind", str(self.kind), KINDS)
        if self.precision not in PRECISIONS:
            raise unknown("precision", str(self.precision), PRECISIONS)
        self._check_shape()
        try:
            self.defaults.levels(self.process)
        except UsageError as error:
            raise UsageError(f"model '{self.name}' has a bad default: {error}") from None

    def _check_shape(self) -> None:
        """Channels and sides are as the network's config says, where it does."""
        (channels, height, width), config = self.shape, getattr(self.network, "config", None)
        takes, multiple = getattr(config, "in_channels", channels), getattr(config, "multiple", 1)
        if channels != takes:
            raise UsageError(f"model '{self.name}' has images of {channels} channels, and its network is for {takes}")
        if min(height, width) < 1 or height % multiple or width % multiple:
            needs = f"its network needs multiples of {multiple}"
            raise UsageError(f"model '{self.name}' has images of {height}x{width} pixels, and {needs}")

    def __call__(self, x: Tensor, level: Level, condition: object = None) -> Prediction | dict[str, Prediction]:
        """The prediction for x [B, C, H, W] under a condition, or under what `encode` made of one.

        Of a network with several heads, such as an inner one, that of each by name.
        """
        raw = condition is None or hasattr(condition, "without")
        context = self.encode(cast("Condition | None", condition)) if raw else condition
        with autocast(x.device, self.precision):
            out = self.network(x, level, context)
        if isinstance(out, Mapping):
            return {head: convert(self.kind, part, x, level) for head, part in out.items()}
        return convert(self.kind, out, x, level)

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of what its network puts out, "main" among them."""
        return getattr(self.network, "heads", ("main",))

    def hooked(self, name: str) -> Model:
        """The same model with a change inside its network. Raises UsageError for one that it does not have."""
        if not hasattr(self.network, "hooked"):
            mend = f"give it a method hooked(name), and this guidance needs '{name}'"
            raise UsageError(f"model '{self.name}' has a network without hooks: {mend}")
        return replace(self, network=self.network.hooked(name))  # type: ignore[operator]

    def encode(self, condition: Condition | None) -> object:
        """The condition as the network reads it: [rows], cat and len as for conditions."""
        with autocast(self.device, self.precision):
            return self.network.encode(None if condition is None else condition.to(self.device))  # type: ignore[operator]

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def defaults(self) -> Defaults:
        """What it is sampled with when nothing else is asked: the card's, best as measured."""
        return Defaults(**{f.name: self.card[f.name] for f in fields(Defaults) if f.name in self.card})

    def sample(
        self,
        prompts: Prompts = None,
        *,
        n: int = 1,
        guidance: Guidance | None = None,
        sampler: Sampler | str | None = None,
        steps: int | None = None,
        grid: str | None = None,
        seed: Seed = 0,
        negative: Value = None,
        named: Mapping[str, Prompts] | None = None,
        init: Tensor | None = None,
        strength: float | None = None,
        mask: Tensor | None = None,
        nets: Mapping[str, Predict | Network] | None = None,
        gradients: Mapping[str, Callable[..., Tensor]] | None = None,
        batch: int | None = None,
        on_step: OnStep | None = None,
    ) -> Result:
        """Images by prompt: see `lodestar.sample`, which this is."""
        return sample(
            self, prompts, n=n, guidance=guidance, sampler=sampler, steps=steps, grid=grid, seed=seed,
            negative=negative, named=named, init=init, strength=strength, mask=mask, nets=nets, gradients=gradients,
            batch=batch, on_step=on_step,
        )  # fmt: skip

    def trajectory(self, prompts: Prompts = None, **options: Any) -> Iterator[Preview]:
        """The same a step at a time: see `lodestar.trajectory`, which this is."""
        return trajectory(self, prompts, **options)

    def save(self, folder: Path | str, dtype: torch.dtype = torch.float32) -> None:
        """Write the model into a folder, all of it or nothing, its weights as dtype. `load` reads it back.

        Raises UsageError if it cannot be written, or if a weight is not finite.
        """
        write(folder, contents(self), dtype)

    def describe(self) -> dict[str, object]:
        """What `lodestar info` prints: all that is known of the model, as JSON values."""
        schema = schema_to_json(self.schema) or {"kind": "none", "null": None, "drop": None}
        file = None if self.folder is None else self.folder / WEIGHTS
        told = {
            **{k: v for k, v in contents(self).config.items() if k not in ("card", "schema")},
            "schema": schema,
            "null": _null(self.schema),
            "drop": schema["drop"],
            **asdict(self.defaults),
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "bytes": file.stat().st_size if file is not None and file.is_file() else None,
            **{k: self.card.get(k) for k in ("measured", "recipe", "licence")},
        }
        return json.loads(json.dumps(told))


def _null(schema: Schema) -> object:
    """What stands for no condition; of a joint schema, for each part that can be dropped."""
    if isinstance(schema, JointSchema):
        return {name: _null(part) for name, part in schema.parts.items() if name not in schema.always}
    return None if schema is None else schema.null


class Saved(Protocol):
    """What a folder of a model holds."""

    @property
    def network(self) -> nn.Module: ...
    @property
    def process(self) -> Process: ...
    @property
    def kind(self) -> str: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def name(self) -> str: ...
    @property
    def card(self) -> Mapping[str, Any]: ...


def contents(model: Saved) -> Contents:
    """What is saved of a model."""
    config = {
        "name": model.name,
        "kind": model.kind,
        "process": process_to_json(model.process),
        "network": {"type": type(model.network).__name__.lower(), **asdict(model.network.config)},  # type: ignore[call-overload]
        "schema": schema_to_json(model.schema),
        "shape": list(model.shape),
        "card": dict(model.card),
    }
    tokenizer = tokenizer_in(model.schema)
    return Contents(config, model.network.state_dict(), None if tokenizer is None else tokenizer.to_json())


JUDGES = ("classifier", "clip")  # what a folder may hold beside models that draw: see likelihood.py


class Unfit(UsageError):
    """What is in a folder is whole, but of another kind than is asked for."""


M = TypeVar("M", bound=Saved)

# What building from a config of any JSON can raise; UsageError is a ValueError.
_DAMAGE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)


def load(name: Path | str, device: torch.device | str = "cpu", precision: Precision = "fp32") -> Model:
    """A model by the name of a shipped one, or else by its folder: in eval mode, on this device.

    Its weights are fp32. `precision` is what its network computes in: "bf16" is faster where the device can (autocast),
    and its pictures differ a little.

    Raises UsageError for an unknown name or precision, and for a damaged, truncated or foreign folder.
    """
    return replace(loaded(name, device, _drawing), precision=precision)


def _drawing(config: Mapping[str, Any], parts: Mapping[str, Any]) -> Model:
    if config["kind"] in JUDGES:
        what = f"{parts['folder']} is a {config['kind']}, which tells pictures apart and draws none"
        raise Unfit(f"{what}: to guide by it, say --gradient {config['kind']}={parts['folder']}")
    if type(parts["network"]).__name__.lower() in JUDGES:
        raise UsageError(f"its kind is {config['kind']}, and its network draws nothing")
    return Model(kind=config["kind"], **parts)


def loaded(
    name: Path | str, device: torch.device | str, make: Callable[[Mapping[str, Any], Mapping[str, Any]], M]
) -> M:
    """What is in the folder of a model, made of its config and the parts that this describes."""
    folder = find(name)
    found = read(folder)
    try:
        config = cast("dict[str, Any]", found.config)
        model = make(config, _parts(config, found.tokenizer, folder))
    except Unfit:
        raise
    except _DAMAGE as error:
        what = str(error).partition("\n")[0]
        raise UsageError(f"{folder} is damaged or no model of this Lodestar: {what}") from None
    fill(model.network, found.weights, folder / WEIGHTS)
    try:
        model.network.to(device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        why = "there is none of that name" if why.startswith("Expected one of") else why  # and a list of twenty
        raise UsageError(f"device '{device}' cannot be used: {why} (give cpu, cuda or mps)") from None
    model.network.eval().requires_grad_(False)
    return model


def _parts(config: Mapping[str, Any], tokenizer: str | None, folder: Path) -> dict[str, Any]:
    schema = _schema(config["schema"], tokenizer)
    channels, height, width = map(int, config["shape"])
    return {
        "network": build(config["network"], schema),
        "process": process_from_json(config["process"]),
        "schema": schema,
        "shape": (channels, height, width),
        "name": str(config["name"]),
        "card": dict(config["card"]),
        "folder": folder,
    }


def _schema(data: Mapping[str, object] | None, tokenizer: str | None) -> Schema:
    schema = schema_from_json(data, None if tokenizer is None else Tokenizer.from_json(tokenizer))
    if any(isinstance(s, TextSchema) and s.tokenizer is None for s in singles(schema)):
        raise UsageError("a text model needs a tokenizer.json")
    return schema


def build(description: Mapping[str, object], schema: Schema) -> nn.Module:
    """A network by its description: {"type": "unet", ...fields of its config}."""
    data = dict(description)
    kind, known = str(data.pop("type", None)), network_types()
    if kind not in known:
        raise unknown("network", kind, known)
    network, config = known[kind]
    return network(_config(config, data), schema)


def network_types() -> dict[str, tuple[Any, type]]:
    """Network and config class by type: a file networks/unet.py makes the type "unet" of its UNet and UNetConfig."""
    found = {}
    for module in iter_modules(networks.__path__):
        inside = vars(import_module(f"{networks.__name__}.{module.name}"))
        classes = {k.lower(): v for k, v in inside.items() if isinstance(v, type)}
        if {module.name, f"{module.name}config"} <= classes.keys():
            found[module.name] = (classes[module.name], classes[f"{module.name}config"])
    return found


def _config(cls: type, data: Mapping[str, object]) -> object:
    """A config dataclass from JSON: lists are tuples, objects are the configs that the fields say.

    Fields that it once had, which older folders still have, are left out.
    """
    hints, former = get_type_hints(cls), getattr(cls, "former", ())
    return cls(**{k: _field(hints.get(k), v) for k, v in data.items() if k not in former})


def _field(hint: object, value: object) -> object:
    if isinstance(value, Mapping) and isinstance(hint, type) and is_dataclass(hint):
        return _config(hint, value)
    return tuple(value) if isinstance(value, list) else value
