"""Guided sampling of scenes-32: seconds for 16 images, and what guidance adds to a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch

from lodestar.model import Model

from .interleave import interleaved, ratio, series
from .machine import machine
from .options import Options
from .report import Finding, Report
from .subjects import model

PROMPT = "a red circle above a blue square"
GUIDED, UNGUIDED = "cfg(4)", "cfg(1)"
SECONDS, RATIO = 4.0, 2.1  # targets, the first for two cores


@dataclass(frozen=True)
class Timed:
    """One call of `sample`."""

    seconds: float
    step: float  # seconds, the mean over all steps but the first
    evaluations: int


def measure(options: Options) -> Report:
    before = machine(options.device)
    chosen, which = model(options.quick, options.device)
    images, steps = (2, 3) if options.quick else (16, 20)
    sides = {g: partial(_timed, chosen, g, images, steps) for g in (GUIDED, UNGUIDED)}
    found = interleaved(sides, options.rounds)
    whole = {g: series(f"{g}, whole call", "s", (t.seconds for t in found[g])) for g in sides}
    step = {g: series(f"{g}, one step", "s", (t.step for t in found[g])) for g in sides}
    findings = [
        Finding(f"seconds, {images} images, {steps} steps, {GUIDED}", whole[GUIDED].median, SECONDS, "at most"),
        Finding("a guided step / an unguided step", ratio(step[GUIDED], step[UNGUIDED]), RATIO, "at most"),
    ]
    settings: dict[str, object] = {"model": f"{chosen.name}, {which}", "sampler": chosen.defaults.sampler}
    settings |= {"images": images, "steps": steps, "prompt": PROMPT}
    settings |= {f"network rows of {g}": found[g][0].evaluations for g in sides}
    return Report(
        "sampling", "Sampling scenes-32", settings, [*whole.values(), *step.values()], findings, machine=before
    )


def _timed(chosen: Model, guidance: str, images: int, steps: int) -> Timed:
    at: list[float] = []

    def on_step(_done: int, _total: int) -> None:
        if chosen.device.type == "cuda":
            torch.cuda.synchronize(chosen.device)
        at.append(perf_counter())

    start = perf_counter()
    result = chosen.sample(PROMPT, n=images, guidance=guidance, steps=steps, seed=0, on_step=on_step)
    seconds = perf_counter() - start
    return Timed(seconds, (at[-1] - at[0]) / (len(at) - 1), result.evaluations)
