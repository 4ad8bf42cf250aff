"""A bench in one call: a model, who looks at its samples, and the real pictures that they are compared with.

measure, protocol = open_bench(lodestar.load("scenes-32"), n=1000)
measure(Setting("cfg(3)"))["FD"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..conditions import Value
from ..errors import UsageError
from ..model import Model
from .asked import Asked, Labels, asked
from .bench import Bench
from .features import Detector
from .features import detector as find_detector
from .features.detector import digest
from .protocol import protocol
from .reference import N, OnPictures
from .reference import folder as cache_folder
from .sources import EDITS, SCENES, compared, own, source


def open_bench(
    model: Model,
    detector: Detector | str | None = None,
    reference: str | None = None,
    *,
    n: int = 1000,
    each: int = 1,
    seed: int = 0,
    labels: Labels = "balanced",
    prompts: Sequence[Value] | None = None,
    others: Mapping[str, Any] | None = None,
    batch: int = 64,
    reference_n: int = N,
    cache: Path | None = None,
    on_pictures: OnPictures | None = None,
) -> tuple[Bench, dict[str, Any]]:
    """Where settings of a model are measured, and how they are: the protocol, JSON values.

    Args:
        detector: one, or what one is called; by default the shipped one for the reference.
        reference: `scenes`, `edits`, a folder, a .parquet file, a data set of the Hub, or statistics (.npz with mu
            and sigma); by default what the model was trained on, at the model's resolution.
        n, each, seed, labels, prompts: what is drawn, as `asked` takes it.
        others: what the guidance asks for by name: `named`, `nets`, `gradients`, as `Model.sample` takes them.
        batch: samples in one forward pass at most.
        reference_n: real pictures at most.
        cache: a folder for what was seen of references, by default LODESTAR_CACHE or lodestar in the user's cache.
        on_pictures: hears how many real pictures were seen, and of how many.

    Raises UsageError for what is not there, and for what cannot be asked of this model.
    """
    data = reference or own(model.card.get("recipe"))
    if data is None:
        raise UsageError(f"the data of '{model.name}' is not here: give real pictures (--reference DATA)")
    seen, opened = looking(detector, data, str(model.device)), source(data, model.shape[-1])
    drawn = asked(model.schema, opened, n, each=each, seed=seed, labels=labels, prompts=prompts)
    real = compared(data, opened, seen, reference_n, cache or cache_folder(), on_pictures)
    given = {k: v for k, v in (others or {}).items() if v}
    told = {**_known(model), **_drawn(drawn), "batch": batch, "others": _others(given)}
    return Bench(model, seen, real, drawn, given, batch), protocol(seen, real, told)


def looking(detector: Detector | str | None, data: str, device: str) -> Detector:
    """Who looks, by default the shipped one of the data. Raises UsageError where there is none."""
    name = detector or (SCENES if data in (SCENES, EDITS) else None)
    if name is None:
        raise UsageError(f"say which detector looks at '{data}': --detector cifar10, inception:FILE, ...")
    return find_detector(name, device) if isinstance(name, str) else name


def _known(model: Model) -> dict[str, object]:
    told = {"precision": model.precision} if model.precision != "fp32" else {}
    return {"model": {"name": model.name, "digest": digest(model.network.state_dict())}, **told}


def _drawn(asked: Asked) -> dict[str, object]:
    told = {"samples": len(asked), "each": asked.each, "first_seed": asked.seed}
    return {**told, "prompts": asked.policy, "prompts_digest": asked.digest}


def _others(others: Mapping[str, Any]) -> dict[str, object]:
    """What the guidance may ask for by name: texts, and of networks the name and a hash of the weights."""
    return {kind: {name: _other(value) for name, value in found.items()} for kind, found in others.items()}


def _other(value: Any) -> object:
    if isinstance(value, str):
        return value
    told = {"name": getattr(value, "name", "a function")}
    return {**told, "digest": digest(value.network.state_dict())} if hasattr(value, "network") else told
