"""A whole run: from a preset and a source of pictures to a folder with a model in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn

from ..conditions import Schema, Tokenizer, guidable
from ..data import Batch, Source
from ..errors import UsageError
from ..files import writing
from ..likelihood import Likelihood
from ..model import Model, load
from ..precision import Precision, choose
from . import likelihoods, presets
from .account import Look, Snapshot
from .checkpoint import FOLDER as CHECKPOINTS
from .checkpoint import has_checkpoints
from .config import TrainConfig
from .device import accelerated
from .folder import claim, continued, described, record, recorded, recorded_tokenizer, refuse_other_data, versions
from .loop import Outcome, loop
from .named import AnyPreset
from .only import part_of, train_only
from .presets import Preset, network_of, weight_of
from .repeat import threads
from .shares import agreed
from .start import Taken, grouped, take_over, tokenizer_of
from .strips import save_strip
from .task import Denoising
from .validate import Judged, Validation

if TYPE_CHECKING:
    from accelerate import Accelerator


Measure = Callable[[Model], Mapping[str, object]]  # of the averaged model
Trained: TypeAlias = Model | Likelihood


@dataclass(frozen=True)
class Run:
    """How a run ended."""

    model: Trained  # averaged weights
    out: Path
    steps: int  # done
    stopped: str | None  # the signal that ended it early; --resume goes on
    last: Mapping[str, float]  # the last line of the log
    seconds: float  # of training, in all parts of the run


def train(
    preset: AnyPreset,
    source: Source | Callable[[], Source],
    out: Path | str,
    *,
    resume: bool = False,
    init: Path | str | None = None,
    device: str | None = None,
    measure: Measure | None = None,
    dtype: torch.dtype = torch.float32,
    quiet: bool = False,
) -> Run:
    """Train a model on a source, in the folder `out`: config.json, log.jsonl, checkpoints/, samples/, early/, model/.

    Args:
        source: or what opens it, which is called once all is known to be in order but the data.
        resume: go on from the last checkpoint in `out`; it ends bit for bit where an uninterrupted run does.
        init: start from the weights of this model, as far as they fit.
        device: "cpu" keeps it there; None: the best there is, which may also be named.
        measure: called with the averaged model as often as samples are drawn, and logged.
        dtype: of the weights in model/ and early/.

    Ctrl-C and SIGTERM save a checkpoint and the model, and end it. Raises UsageError for what cannot be done.
    """
    out, preset = Path(out), replace(preset, measured={})  # which is another run's
    maker(preset).check(preset)
    claim(out, resume)
    accelerator = accelerated(device)
    quiet = quiet or not accelerator.is_main_process
    with threads(preset.train.threads):
        preset, source, model = _begun(preset, source, out, resume, init, accelerator, quiet)
        task = maker(preset).task(preset, model)
        looks, stream = _looks(preset, task, model, source, out, measure), _stream(preset.train, source)
        early = Snapshot(preset.train.early_steps, partial(_keep_early, preset, source, model, out, dtype))
        outcome = loop(
            task, stream, preset.train, out, looks=looks, snapshot=early, resume=resume, device=device, quiet=quiet
        )
    model = _finished(preset, source, model, outcome)
    if accelerator.is_main_process:
        with writing(out):
            model.save(out / "model", dtype)
    return Run(model, out, outcome.steps, outcome.stopped, outcome.last, outcome.seconds)


def _begun(
    preset: AnyPreset,
    source: Source | Callable[[], Source],
    out: Path,
    resume: bool,
    init: Path | str | None,
    accelerator: Accelerator,
    quiet: bool,
) -> tuple[AnyPreset, Source, Trained]:
    """The run's own preset, its data, and its model before the first step. A new run is recorded."""
    making, begun = maker(preset), recorded(out) if resume else None
    if begun is not None:
        preset, init = continued(preset, begun), begun["init"]
    else:
        preset = replace(preset, train=replace(preset.train, precision=_precision(preset.train, accelerator)))
    before = making.load(init) if init is not None and not has_checkpoints(out / CHECKPOINTS) else None
    source = source() if callable(source) else source
    _check_size(preset, source)
    if begun is not None:
        refuse_other_data(source.describe(), begun)
    tokenizer = recorded_tokenizer(out) if resume else tokenizer_of(before, source)
    model = making.new(preset, making.schema(preset, source, tokenizer), source.resolution)
    taken = take_over(model.network, before) if before else None
    _check_only(preset.train, model.network, init, taken)
    if begun is None and accelerator.is_main_process:
        record(out, preset, model.schema, source=source.describe(), init=init, taken=taken and str(taken))
    if taken and not quiet:
        print(f"--init {init}: {taken}", file=sys.stderr)
    return preset, source, model


def _check_size(preset: AnyPreset, source: Source) -> None:
    if source.resolution != preset.resolution:
        why = f"the source is of {source.resolution} pixels a side and the preset of {preset.resolution}"
        raise UsageError(f"{why}: open the source at that resolution, or change the preset's")


def _check_only(config: TrainConfig, network: nn.Module, init: Path | str | None, taken: Taken | None) -> None:
    """Refuse to train a part that the network has not, or on top of weights that nobody has trained."""
    train_only(network, config.only)
    if config.only and init is None:
        raise UsageError(f"only '{config.only}' is to be trained and the rest stays as it is: give --init, a model")
    if left := grouped(name for name in (taken.new if taken else ()) if not part_of(config.only, name)):
        mend = "give --init a model that has it, or leave --train.only out"
        raise UsageError(f"only '{config.only}' is to be trained, and {left} would stay untrained: {mend}")


def _stream(config: TrainConfig, source: Source) -> Callable[[int], Iterator[Batch]]:
    return partial(source.batches, config.batch, config.seed)


@dataclass(frozen=True)
class Maker:
    """What a run makes of a preset of some kind."""

    check: Callable[[Any], None]  # raises UsageError for what no data could make a run of
    schema: Callable[[Any, Source, Tokenizer | None], Schema]
    new: Callable[[Any, Schema, int], Any]  # what is trained, before its first step
    load: Callable[[Path | str], Any]  # another one, to start from
    task: Callable[[Any, Any], Any]  # a Task that can be validated


def maker(preset: AnyPreset) -> Maker:
    return DENOISERS if isinstance(preset, Preset) else LIKELIHOODS


def check(preset: AnyPreset) -> None:
    """Raises UsageError for what no data could make a run of."""
    maker(preset).check(preset)


def denoising(preset: Preset, model: Model) -> Denoising:
    """The task that a preset sets a model."""
    weight, seed, inner = weight_of(preset), preset.train.seed, preset.inner_weight
    return Denoising(model.network, preset.process, preset.kind, model.schema, preset.density, weight, seed, inner)


def new_model(preset: Preset, schema: Schema, resolution: int) -> Model:
    """An untrained model: its weights are a function of the preset and its seed."""
    network = network_of(preset.network, schema, preset.train.seed)
    guidance = preset.guidance if guidable(schema) else "cfg(1)"
    card = {"guidance": guidance, **{k: getattr(preset, k) for k in ("sampler", "steps", "grid", "licence")}}
    shape = (preset.network.in_channels, resolution, resolution)
    return Model(network, preset.process, preset.kind, schema, shape, preset.name, card)


DENOISERS = Maker(presets.check, presets.schema_of, new_model, load, denoising)
LIKELIHOODS = Maker(
    likelihoods.check, likelihoods.schema_of, likelihoods.new_likelihood, Likelihood.load, likelihoods.task_of
)


def _looks(
    preset: AnyPreset, task: Judged, model: Trained, source: Source, out: Path, measure: Measure | None
) -> Sequence[Look]:
    config = preset.train
    held, part = source.held_out(config.validate_images), config.batch // config.accumulate
    validation = Validation(task, held, part, choose(config.precision, model.device))
    looks = [Look("validation", config.validate_every, validation)]
    if not isinstance(model, Model):
        return looks

    def samples(network: nn.Module, steps: int) -> Mapping[str, object]:
        path = out / "samples" / f"step-{steps:08}.png"
        save_strip(replace(model, network=network), held, path)
        return {"file": str(path.relative_to(out))}

    def measured(network: nn.Module, _: int) -> Mapping[str, object]:
        return measure(replace(model, network=network)) if measure else {}

    looks.append(Look("samples", config.sample_every, samples))
    return [*looks, Look("measured", config.sample_every, measured)] if measure else looks


def _keep_early(
    preset: AnyPreset, source: Source, model: Trained, out: Path, dtype: torch.dtype, average: nn.Module
) -> None:
    """Save what the run knows early on: under the same conditions, a weaker model, for autoguidance."""
    card = {**model.card, "recipe": _recipe(preset, source, preset.train.early_steps)}
    with writing(out):
        replace(model, network=average, name=f"{model.name}-early", card=card).save(out / "early", dtype)


def _finished(preset: AnyPreset, source: Source, model: Trained, outcome: Outcome) -> Trained:
    """The model with its averaged weights and its card."""
    recipe = {**_recipe(preset, source, outcome.steps), "seconds": round(outcome.seconds, 1)}
    return replace(model, network=outcome.network.cpu(), card={**model.card, "recipe": recipe})


def _recipe(preset: AnyPreset, source: Source, steps: int) -> dict[str, object]:
    """How a model came about that has seen so many steps."""
    images = steps * preset.train.batch
    recipe = {"preset": described(preset), "source": source.describe(), "images": images, "command": preset.command}
    return {**recipe, "seed": preset.train.seed, **versions()}


def _precision(config: TrainConfig, accelerator: Accelerator) -> Precision:
    """Settled once and recorded, so that a resumed run has the same; all processes wait here for one another."""
    return "fp32" if agreed(accelerator, choose(config.precision, accelerator.device) == "fp32") else "bf16"
