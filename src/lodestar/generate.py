"""Sampling: prompts, a rule and a sampler to images, with the exact count of network evaluations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from .conditions import Value
from .errors import UsageError
from .guidance import Network, Predict
from .job import OnStep, Options, Preview, planned
from .request import Guidance, Prompts, Samples, Seed, whole
from .result import Result
from .samplers import Sampler


def sample(
    model: Samples,
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
    """Images by prompt.

    Args:
        prompts: one or many; None samples without a prompt, from the model's null. Of a joint model, a mapping such as
            {"text": "a red circle", "image": tensor} is one; a part that it does not name is the null.
        n: samples of each prompt, with the seeds seed, seed + 1, ...
        guidance: a rule, its text, or a number s for cfg(s); None: the model's default. Its numbers may be one for each
            prompt or one for each sample.
        sampler: a name such as "ddim" or "ancestral(noise_mix=0.2)", or a function; None: the model's default.
        grid: the levels that it visits, such as "u", uniform in the process's own time, or "lam", uniform in log SNR;
            None: the model's default.
        seed: of the first sample of every prompt alike, or one for each prompt.
        negative: what to guide away from in place of the null; of a joint model, in place of the parts that it names.
        named: other prompts that the guidance asks for by name, such as {"other": "a blue square"} for compose(cfg(4),
            name="other"); each one, or a list with one for each prompt. Of a joint model, as `negative`.
        init: pictures to start from, uint8 [H, W, C], or [N, H, W, C] with one for each prompt or each sample.
        strength: the share of the steps that are walked from there, in (0, 1]; None: 0.6, and with a mask 1.
        mask: [H, W] or [N, H, W] from 0, where `init` is kept, to 1, where the picture is made anew.
        nets: other networks that the guidance asks for by name, such as {"weak": another model}.
        gradients: functions whose gradients it asks for by name, such as {"classifier": (x, level, condition) ->
            log p [B]}, a `lodestar.Likelihood` or a loss of `lodestar.gradients`. What nets and gradients may be,
            `lodestar.guide` says.
        batch: the most samples in one forward pass, times the predictions that the rule asks; None: all of them.
        on_step: called with the steps done and the steps in all.

    Raises UsageError for what the model cannot do, and where a sample is not finite.
    """
    started = perf_counter()
    whole("batch", 1 if batch is None else batch)
    options = Options(
        n=n, guidance=guidance, sampler=sampler, steps=steps, grid=grid, seed=seed, negative=negative, named=named,
        init=init, strength=strength, mask=mask, nets=nets, gradients=gradients,
    )  # fmt: skip
    job = planned(_loaded(model), prompts, options)
    images, tally = job.run(batch or len(job.owner), on_step)
    made = [job.asked[i] for i in job.owner]
    return Result(images, job.seeds, tally, perf_counter() - started, job.recipe, made)


def trajectory(model: Samples, prompts: Prompts = None, **options: Any) -> Iterator[Preview]:
    """The same samples a step at a time; `options` are those of `sample` but for batch and on_step.

        for preview in lodestar.trajectory(model, "a red circle", n=4, seed=7):
            show(preview.images)

    A step is computed when the next preview is asked for, so to leave the loop is to cancel.
    """
    return planned(_loaded(model), prompts, Options(**options)).previews()


def _loaded(model: Samples) -> Samples:
    if isinstance(model, str | Path):
        raise UsageError(f"'{model}' is a name: sample the model, lodestar.load('{model}')")
    return model
