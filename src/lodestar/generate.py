"""Sampling: prompts, a rule and a sampler to images, with the exact count of network evaluations.

Sample i depends on its own seed, prompt and scale alone: neither on the batch it is in nor on its neighbours. Knows no
network: `model` is anything that fits the protocol `Samples`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeAlias

import torch
from torch import Tensor

from .conditions import Condition, Value
from .core import Level, Noise, Prediction, Step
from .errors import UsageError
from .guidance import Guided, Rule, guide, take
from .pictures import to_uint8
from .process import levels
from .request import Guidance, Prompts, Samples, Seed, conditions, listed, seeds_of, settled, spread, whole
from .result import Result
from .samplers import Sampler
from .samplers import sampler as find_sampler
from .version import __version__

OnStep: TypeAlias = Callable[[int, int], None]  # steps done, steps in all


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
    batch: int | None = None,
    on_step: OnStep | None = None,
) -> Result:
    """Images by prompt.

    Args:
        prompts: one or many; None samples without a prompt, from the model's null.
        n: samples of each prompt, with the seeds seed, seed + 1, ...
        guidance: a rule, its text, or a number s for cfg(s); None: the model's default. Its numbers may be one for each
            prompt or one for each sample.
        sampler: a name such as "ddim" or "ancestral(noise_mix=0.2)", or a function; None: the model's default.
        grid: the levels that it visits, such as "u", uniform in the process's own time, or "lam", uniform in log SNR;
            None: the model's default.
        seed: of the first sample of every prompt alike, or one for each prompt.
        negative: what to guide away from in place of the null.
        batch: the most samples in one forward pass, times the predictions that the rule asks; None: all of them.
        on_step: called with the steps done and the steps in all.

    Raises UsageError for what the model cannot do, and where a sample is not finite.
    """
    started = perf_counter()
    steps = model.defaults.steps if steps is None else steps
    for name, count in {"n": n, "steps": steps, "batch": 1 if batch is None else batch}.items():
        whole(name, count)
    asked = listed(prompts)
    seeds = seeds_of(seed, len(asked), n)
    condition, named = conditions(model, asked, negative)
    grid = model.defaults.grid if grid is None else grid
    visited = levels(model.process, steps, grid)
    rule = settled(model, asked, guidance, negative, visited)
    chosen = model.defaults.sampler if sampler is None else sampler
    owner = [i for i in range(len(asked)) for _ in range(n)]  # of each sample, the prompt
    job = _Job(model, condition, named, spread(rule, owner), owner, seeds, _function(chosen), visited)
    images, evaluations = job.run(batch or len(owner), on_step)
    recipe = {
        "lodestar": __version__,
        "torch": torch.__version__,
        "model": model.name,
        "prompts": asked,
        "negative": negative,
        "guidance": str(rule),
        "sampler": chosen if isinstance(chosen, str) else getattr(chosen, "__name__", repr(chosen)),
        "steps": steps,
        "grid": grid,
        "seeds": seeds,
    }
    return Result(images, seeds, evaluations, perf_counter() - started, recipe, [asked[i] for i in owner])


@dataclass(frozen=True)
class _Job:
    """Everything settled: what remains is to run the chunks."""

    model: Samples
    condition: Condition | None  # [P]
    named: Mapping[str, Condition]
    rule: Rule
    owner: Sequence[int]  # [B]
    seeds: Sequence[int]  # [B]
    sampler: Sampler
    levels: Sequence[Level]

    def run(self, batch: int, on_step: OnStep | None) -> tuple[Tensor, int]:
        """Images uint8 [B, H, W, C] and network evaluations."""
        starts = range(0, len(self.seeds), batch)
        steps = len(self.levels) - 1
        done: list[Tensor] = []
        evaluations = 0
        for i, start in enumerate(starts):
            report = _Report(on_step, i * steps, len(starts) * steps)
            pixels, spent = self._chunk(slice(start, start + batch), report)
            done.append(pixels)
            evaluations += spent
        return torch.cat(done), evaluations

    @torch.inference_mode()
    def _chunk(self, rows: slice, report: _Report) -> tuple[Tensor, int]:
        noise = Noise(self.seeds[rows])
        owner = torch.tensor(self.owner[rows])
        condition = None if self.condition is None else self.condition[owner]
        guided = guide(take(self.rule, rows), self.model, condition, named=self.named)
        x = noise.normal(-1, 0, self.model.shape, self.model.device)
        x = self.levels[0].like(x).sigma * x
        x = self.sampler(_Watched(guided, report), x, self.levels, noise=noise)
        self._check_finite(x, rows)
        return to_uint8(x).permute(0, 2, 3, 1).cpu().contiguous(), guided.evaluations

    def _check_finite(self, x: Tensor, rows: slice) -> None:
        """Raise UsageError, with the guidance of the first such sample: inf and nan are no colours."""
        spoilt = (~x.isfinite().flatten(1).all(1)).nonzero()
        if len(spoilt):
            i = rows.start + int(spoilt[0])
            what = f"sample {i} (seed {self.seeds[i]}) is not finite (inf or nan)"
            mend = "use a smaller scale, or check the model"
            raise UsageError(f"{what} under guidance {take(self.rule, [i])}: {mend}")


@dataclass(frozen=True)
class _Report:
    """Says how far the whole job is."""

    on_step: OnStep | None
    before: int  # steps of earlier chunks
    total: int

    def __call__(self, at: Step) -> None:
        if self.on_step is not None:
            self.on_step(self.before + at.index + 1, self.total)


@dataclass(frozen=True)
class _Watched:
    """A denoiser that reports each step."""

    denoise: Guided
    report: _Report

    def begin(self) -> _Watched:
        return replace(self, denoise=self.denoise.begin())

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        prediction = self.denoise(x, at)
        self.report(at)
        return prediction


def _function(sampler: Sampler | str) -> Sampler:
    return find_sampler(sampler) if isinstance(sampler, str) else sampler
