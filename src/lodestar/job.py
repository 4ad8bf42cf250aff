"""One call to `sample`, settled and run: chunks of samples, each on its way from noise to pixels.

Sample i depends on its own seed, prompt and scale alone: neither on the batch it is in nor on its neighbours. Knows no
network: `model` is anything that fits the protocol `Samples`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypedDict

import torch
from torch import Tensor

from .conditions import Condition, Value
from .core import Denoise, Level, Noise, Prediction, Step
from .errors import UsageError
from .guidance import Guided, Network, Predict, Rule, Tally, guide, take
from .guidance.fields import lengths, values
from .pictures import to_uint8
from .process import levels
from .request import Guidance, Prompts, Samples, Seed, beside, conditions, listed, seeds_of, settled, spread, whole
from .samplers import Moment, Sampler, Stepwise, own_keywords
from .samplers import sampler as find_sampler
from .start import Start, digest, start
from .version import __version__

OnStep: TypeAlias = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `lodestar.sample` takes, which says what each is."""

    n: int = 1
    guidance: Guidance | None = None
    sampler: Sampler | str | None = None
    steps: int | None = None
    grid: str | None = None
    seed: Seed = 0
    negative: Value = None
    named: Mapping[str, Prompts] | None = None
    init: Tensor | None = None
    strength: float | None = None
    mask: Tensor | None = None
    nets: Mapping[str, Predict | Network] | None = None
    gradients: Mapping[str, Callable[..., Tensor]] | None = None

    def __post_init__(self) -> None:
        if not (self.sampler is None or isinstance(self.sampler, str) or callable(self.sampler)):
            raise UsageError(f"sampler must be a name such as 'ddim', or a function, got {self.sampler!r}")
        if not isinstance(self.grid, str | None):
            raise UsageError(f"grid must be a name such as 'lam', got {self.grid!r}")


class Others(TypedDict):
    """What a rule may ask for by name, beside the model under the prompt, as `guide` takes it."""

    named: Mapping[str, Condition]
    nets: Mapping[str, Predict | Network]
    gradients: Mapping[str, Callable[..., Tensor]]


@dataclass(frozen=True)
class Preview:
    """Where a trajectory stands."""

    step: int  # steps done
    total: int
    moment: Moment = field(repr=False)

    @property
    def images(self) -> Tensor:
        """uint8 [B, H, W, C]: the clean pictures as predicted, and after the last step the samples themselves."""
        return pixels(self.moment.x if self.step == self.total else self.moment.prediction.x0)


@dataclass(frozen=True)
class Job:
    """Everything settled: what remains is to run it."""

    model: Samples
    asked: Sequence[Value]  # [P], JSON values
    condition: Condition | None  # [P]
    others: Others
    rule: Rule
    owner: Sequence[int]  # [B], of each sample the prompt
    seeds: list[int]  # [B]
    sampler: Sampler
    levels: Sequence[Level]
    start: Start
    recipe: dict[str, object]

    def run(self, batch: int, on_step: OnStep | None) -> tuple[Tensor, Tally]:
        """Images uint8 [B, H, W, C] and what they cost, at most `batch` samples at a time."""
        starts = range(0, len(self.seeds), batch)
        steps = len(self.levels) - 1
        done: list[Tensor] = []
        tally = Tally()
        for i, first in enumerate(starts):
            report = _Report(on_step, i * steps, len(starts) * steps)
            images, spent = self._chunk(slice(first, first + batch), report)
            done.append(images)
            tally += spent
        return torch.cat(done), tally

    @torch.inference_mode()
    def previews(self) -> Iterator[Preview]:
        """All samples at once, a step at a time. Raises UsageError for a sampler that cannot be stopped."""
        if not isinstance(self.sampler, Stepwise):
            raise UsageError("this sampler is a plain function without steps: make it one with samplers.stepwise")
        everyone = slice(0, len(self.seeds))
        guided, x, noise = self._begun(everyone)
        known = self.start.known(guided)
        total = len(self.levels) - 1
        for moment in self.sampler.trajectory(known, x, self.levels, noise=noise):
            self._check_finite(moment.x, everyone)
            yield Preview(moment.at.index + 1, total, moment)

    @torch.inference_mode()
    def _chunk(self, rows: slice, report: _Report) -> tuple[Tensor, Tally]:
        guided, x, noise = self._begun(rows)
        x = self.sampler(_Watched(self.start[rows].known(guided), report), x, self.levels, noise=noise)
        self._check_finite(x, rows)
        return pixels(x), guided.tally

    def _begun(self, rows: slice) -> tuple[Guided, Tensor, Noise]:
        """The denoiser of these samples, where they start, and the noise that they draw."""
        noise = Noise(self.seeds[rows])
        owner = torch.tensor(self.owner[rows])
        condition = None if self.condition is None else self.condition[owner]
        named = {name: c if len(c) == 1 else c[owner] for name, c in self.others["named"].items()}
        others = Others(named=named, nets=self.others["nets"], gradients=self.others["gradients"])
        guided = guide(take(self.rule, rows), self.model, condition, **others)
        return guided, self.start[rows].x(noise, self.levels[0], self.model.shape, self.model.device), noise

    def _check_finite(self, x: Tensor, rows: slice) -> None:
        """Raise UsageError, with the guidance of the first such sample: inf and nan are no colours."""
        spoilt = (~x.isfinite().flatten(1).all(1)).nonzero()
        if len(spoilt):
            i = rows.start + int(spoilt[0])
            what = f"sample {i} (seed {self.seeds[i]}) is not finite (inf or nan)"
            mend = "use a smaller scale, or check the model"
            raise UsageError(f"{what} under guidance {take(self.rule, [i])}: {mend}")


def planned(model: Samples, prompts: Prompts, asked_for: Options) -> Job:
    """The job that a call asks for. Raises UsageError for what the model cannot do."""
    o = asked_for
    steps = model.defaults.steps if o.steps is None else o.steps
    whole("n", o.n)
    whole("steps", steps)
    asked = listed(prompts)
    seeds = seeds_of(o.seed, len(asked), o.n)
    prompted = beside(o.negative, o.named, len(asked))
    condition, named = conditions(model, asked, prompted)
    owner = [i for i in range(len(asked)) for _ in range(o.n)]
    begins = start(o.init, o.strength, o.mask, model.shape, owner)
    grid = model.defaults.grid if o.grid is None else o.grid
    visited = levels(model.process, steps, grid)[-1 - begins.steps(steps) :]
    some = any(prompt is not None for prompts in (asked, *prompted.values()) for prompt in prompts)
    others = Others(named=named, nets=o.nets or {}, gradients=_told_of(o.gradients or {}, model, some))
    rule = settled(model, asked, o.guidance, prompted, visited, others["nets"], others["gradients"])
    chosen = model.defaults.sampler if o.sampler is None else o.sampler
    told = [_told(prompt) for prompt in asked]
    recipe = {
        "lodestar": __version__,
        "torch": torch.__version__,
        "model": model.name,
        **({"precision": "bf16"} if getattr(model, "precision", "fp32") == "bf16" else {}),
        "prompts": told,
        "negative": _told(o.negative),
        "guidance": str(rule),
        "sampler": chosen if isinstance(chosen, str) else _name(chosen),
        "steps": steps,
        "grid": grid,
        "seeds": seeds,
        **begins.recipe(),
        **({"named": _told(o.named)} if o.named else {}),
        **_beside(others),
    }
    function = find_sampler(chosen) if isinstance(chosen, str) else chosen
    rule = spread(rule, owner)
    check_weights(function, rule, o.n)
    return Job(model, told, condition, others, rule, owner, seeds, function, visited, begins, recipe)


def _told_of(gradients: Mapping[str, Any], model: Samples, some: bool) -> Mapping[str, Callable[..., Tensor]]:
    """Log densities by name; a likelihood that asks what the model's conditions say is told, if there are some."""
    return {k: g.of_prompts(model.schema, some) if hasattr(g, "of_prompts") else g for k, g in gradients.items()}


def check_weights(function: Sampler, rule: Rule, n: int) -> None:
    """Raise UsageError unless a sampler that weighs has a rule that says how, and groups that are alike; n a prompt."""
    weighs = isinstance(function, Stepwise) and "group" in own_keywords(function)
    weighted = getattr(rule, "weighs", False)
    if weighted and not weighs:
        raise UsageError(f"guidance {rule} gives weights: use a sampler that takes them, as particles(group={n})")
    if weighs and not weighted:
        raise UsageError(f"guidance {rule} gives no weights for the sampler to take: use tilt(4), nothing around it")
    group = function.bound.get("group", 0) if isinstance(function, Stepwise) else 0
    if group >= 1 and n % group:
        raise UsageError(f"a group has one prompt: n must be a multiple of {group:g}, got {n}")
    for name, _ in lengths(rule) if group >= 1 else ():
        if values(getattr(rule, name)).reshape(-1, int(group)).diff().any():
            raise UsageError(f"a group has one {name}: give one for each prompt")


def _beside(others: Others) -> dict[str, dict[str, str]]:
    """The names of the networks and densities beside the model, where there are some."""
    found: dict[str, Mapping[str, Any]] = {"nets": others["nets"], "gradients": others["gradients"]}
    return {kind: {name: _name(value) for name, value in some.items()} for kind, some in found.items() if some}


def _name(value: Any) -> str:
    """What a recipe calls what it cannot hold: a model and a function by their names."""
    found = getattr(value, "predict", value)
    return str(getattr(found, "name", None) or getattr(found, "__name__", None) or type(found).__name__)


def _told(value: Any) -> Any:
    """What is asked for as JSON values: vectors as lists, and pictures by their digest, as those to start from."""
    if isinstance(value, Mapping):
        return {str(name): _told(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_told(each) for each in value]
    if value is None or isinstance(value, str | int | float):
        return value
    numbers = torch.as_tensor(value).float().cpu()
    return numbers.tolist() if numbers.ndim < 2 else digest(numbers)


def pixels(x: Tensor) -> Tensor:
    """uint8 [B, H, W, C] on the CPU, of x [B, C, H, W] in [-1, 1]."""
    return to_uint8(x).permute(0, 2, 3, 1).cpu().contiguous()


@dataclass(frozen=True)
class _Report:
    """Says how far the whole job is."""

    on_step: OnStep | None
    before: int  # steps of earlier chunks
    total: int

    def __call__(self, at: Step) -> None:
        if self.on_step is not None and at.part == 0:
            self.on_step(self.before + at.index + 1, self.total)


@dataclass(frozen=True)
class _Watched:
    """A denoiser that reports each step."""

    denoise: Denoise
    report: _Report

    def begin(self) -> _Watched:
        return replace(self, denoise=self.denoise.begin())

    def __call__(self, x: Tensor, at: Step) -> Prediction:
        prediction = self.denoise(x, at)
        self.report(at)
        return prediction
