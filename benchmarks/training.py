"""Held-out loss after equal wall time: our U-Net of scenes-32 against diffusers', in our loop, on our data.

Only the U-Net differs: both sides have the same text tower and tokenizer, loss, optimizer, batch and precision, and the
learning rate runs through its whole schedule on both. How many steps fill the time is measured first. Then the sides
take turns of a slice each; a slice ends at a checkpoint, from which the side's next one goes on bit for bit.

Time runs from the start of a slice's first step to the start of its last, over the steps between; what is done once a
slice (start, checkpoint, validation) is left out on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from torch import Tensor, nn

from lodestar.data import Batch
from lodestar.precision import choose
from lodestar.train import Denoising, Look, TrainConfig, loop
from lodestar.train.run import denoising
from lodestar.train.validate import Validation

from .interleave import interleaved, ratio, series
from .machine import machine
from .options import Options
from .peer import CLOSE, as_large_as, parameters
from .report import Finding, Report
from .subjects import Subject, subject

OURS, THEIRS = "lodestar UNet", "diffusers UNet2DConditionModel"
SPEED = 2.0  # target, times the images per second
LONGER = 1.05  # how much more time ours may have had than was planned
HELD = 512  # pictures that the loss is measured on
WARM_UP = 0.1  # share of the steps, at most: the preset's own may be longer than the whole comparison


class SliceOver(Exception):
    """Ends a slice, right after its checkpoint."""


class Clocked:
    """A task that notes when each step begins."""

    def __init__(self, task: Denoising) -> None:
        self.task, self.network = task, task.network
        self.starts: list[float] = []  # seconds

    @property
    def facts(self) -> Mapping[str, Tensor]:
        return self.task.facts

    def loss(self, batch: Batch, step: int, first: int = 0) -> Tensor:
        self.starts.append(perf_counter())
        return self.task.loss(batch, step, first)

    def pace(self) -> float:
        """Mean seconds of a step; forgets what it noted."""
        starts, self.starts = self.starts, []
        return (starts[-1] - starts[0]) / (len(starts) - 1)


@dataclass(frozen=True)
class Slice:
    """One turn of one side."""

    seconds: float
    images: int
    loss: float  # held out, at its end


@dataclass
class Side:
    """A network on its way through its schedule, a slice at a time."""

    task: Denoising
    config: TrainConfig
    batches: Callable[[int], Iterator[Batch]]
    validation: Callable[[nn.Module], Mapping[str, object]]
    folder: Path
    device: str | None
    loss: float = float("nan")  # held out, averaged weights, after the last slice

    def run(self) -> Slice:
        """The next slice, of `checkpoint_every` steps."""
        clocked, steps, device = Clocked(self.task), self.config.checkpoint_every, self.device
        end = Look("validation", steps, self._end)
        with suppress(SliceOver):
            loop(clocked, self.batches, self.config, self.folder, looks=[end], resume=True, device=device, quiet=True)
        return Slice(clocked.pace() * steps, steps * self.config.batch, self.loss)

    def pace(self, steps: int) -> float:
        """Mean seconds of a step, found on a copy."""
        clocked = Clocked(replace(self.task, network=deepcopy(self.task.network)))
        config = replace(self.config, steps=steps, images=0)
        with TemporaryDirectory() as folder:
            loop(clocked, self.batches, config, Path(folder), device=self.device, quiet=True)
        return clocked.pace()

    def _end(self, network: nn.Module, steps: int) -> Mapping[str, object]:
        said = self.validation(network)
        self.loss = float(str(said["loss"]))
        if steps < self.config.total:
            raise SliceOver
        return said


def measure(options: Options) -> Report:
    before, what = machine(options.device), subject(options.quick)
    with TemporaryDirectory() as folder:
        sides = _sides(what, options, Path(folder))
        slices = 2 if options.quick else options.slices
        for side, steps in zip(sides.values(), _steps(sides, options, slices), strict=True):
            side.config = _schedule(side.config, steps, slices)
        found = interleaved({name: side.run for name, side in sides.items()}, slices, warm_up=0)
    return _report(sides, found, _settings(sides, what, options), before)


def _sides(what: Subject, options: Options, folder: Path) -> dict[str, Side]:
    """Both, at their first step."""
    model = what.fresh()
    with torch.random.fork_rng([]):
        torch.manual_seed(what.preset.train.seed)
        peer = as_large_as(model.network, what.preset.network, what.schema, options.layers, what.preset.resolution)
    _check_size(model.network, peer, options.quick)
    task, config = denoising(what.preset, model), _config(what, options)
    held = what.source.held_out(what.preset.train.validate_images if options.quick else HELD)
    batches = partial(what.source.batches, config.batch, config.seed)
    found = {}
    for name, network in ((OURS, model.network), (THEIRS, peer)):
        own = replace(task, network=network)
        validation = Validation(own, held, config.batch, choose(config.precision, torch.device(options.device)))
        place = folder / name.split()[0]
        found[name] = Side(own, config, batches, validation, place, "cpu" if options.device == "cpu" else None)
    return found


def _config(what: Subject, options: Options) -> TrainConfig:
    """The preset's, in one precision for both sides."""
    config = what.preset.train
    precision = choose(config.precision, torch.device(options.device))
    config = replace(config, precision=precision, optimizer=options.optimizer or config.optimizer, accumulate=1)
    return replace(config, validate_every=0, sample_every=0, checkpoint_seconds=0, keep=1, threads=0)


def _steps(sides: Mapping[str, Side], options: Options, slices: int) -> list[int]:
    """How many steps of each side fill the time, in whole slices."""
    if options.quick:
        return [2 * slices for _ in sides]
    paces = interleaved({name: partial(side.pace, 12) for name, side in sides.items()}, 3)
    return [max(2, round(options.seconds / median(paces[name]) / slices)) * slices for name in sides]


def _schedule(config: TrainConfig, steps: int, slices: int) -> TrainConfig:
    each, warmup = steps // slices, min(config.warmup, int(WARM_UP * steps))
    return replace(config, steps=steps, images=0, warmup=warmup, checkpoint_every=each, log_every=each)


def _check_size(ours: nn.Module, theirs: nn.Module, quick: bool) -> None:
    apart = parameters(theirs) / parameters(ours) - 1
    if abs(apart) > CLOSE and not quick:
        raise ValueError(f"the peer has {apart:+.1%} parameters: no comparison")


def _report(
    sides: Mapping[str, Side],
    found: Mapping[str, list[Slice]],
    settings: Mapping[str, object],
    before: Mapping[str, object],
) -> Report:
    speed = {n: series(n, "images/s", (s.images / s.seconds for s in found[n])) for n in sides}
    findings = [
        Finding(f"held-out loss, {OURS} / {THEIRS}", sides[OURS].loss / sides[THEIRS].loss, 1.0, "at most"),
        Finding("images per second, likewise", ratio(speed[OURS], speed[THEIRS]), SPEED, "at least"),
        Finding("wall time, likewise", _seconds(found[OURS]) / _seconds(found[THEIRS]), LONGER, "at most"),
    ]
    curves = {n: list(_curve(found[n])) for n in sides}
    notes = ["Repetitions are slices; the held-out loss is the averaged weights', on fixed pictures and noise."]
    title = "Training: held-out loss after equal wall time"
    return Report("training", title, settings, list(speed.values()), findings, notes, curves, before)


def _seconds(slices: list[Slice]) -> float:
    return sum(each.seconds for each in slices)


def _curve(slices: list[Slice]) -> Iterator[dict[str, float]]:
    seconds, images = 0.0, 0
    for each in slices:
        seconds, images = seconds + each.seconds, images + each.images
        yield {"seconds": seconds, "images": images, "loss": each.loss}


def _settings(sides: Mapping[str, Side], what: Subject, options: Options) -> dict[str, object]:
    config = sides[OURS].config
    told: dict[str, object] = {"preset": what.preset.name, "tiny": options.quick or None}
    told |= {k: getattr(config, k) for k in ("batch", "optimizer", "lr", "schedule", "precision")}
    for name, side in sides.items():
        told[f"{name}: parameters"] = parameters(side.task.network)
        told[f"{name}: steps"] = side.config.total
        told[f"{name}: warm-up steps"] = side.config.warmup
    return told
