"""What `lodestar sample` runs: the same prompts and seeds once, or once at each scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..measure.prompts import legible, prompt_truth
from ..measure.scales import at_scale
from ..model import Model
from ..pictures import read_picture
from ..result import Result
from .show import progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from torch import Tensor

    from .sample import Sample


@dataclass(frozen=True)
class Run:
    """One pass over all prompts."""

    result: Result
    scale: float | None = None
    true: Sequence[bool] | None = None  # of each image, whether it shows its prompt; None: nobody can tell

    @property
    def label(self) -> str:
        return self.guidance if self.scale is None else f"scale {self.scale:g}"

    @property
    def guidance(self) -> str:
        return str(self.result.recipe["guidance"])

    @property
    def per_image(self) -> float:
        """Network evaluations."""
        return self.result.evaluations / len(self.result.seeds)

    @property
    def accuracy(self) -> float | None:
        return None if self.true is None else sum(self.true) / len(self.true)

    def report(self) -> dict[str, object]:
        """As JSON values."""
        scale = {} if self.scale is None else {"scale": self.scale, "w": self.scale - 1}
        accuracy = {} if self.true is None else {"prompt_accuracy": self.accuracy}
        cost = {"evaluations_per_image": self.per_image, "evaluations": self.result.evaluations}
        others = {k: n for k in ("backwards", "gradients") if (n := getattr(self.result.tally, k))}
        seconds = {"seconds": round(self.result.seconds, 3)}
        return {**scale, "guidance": self.guidance, **accuracy, **cost, **others, **seconds}

    def of_prompt(self, i: int) -> Result:
        """The images of one prompt; what they cost stays the whole run's."""
        rows, whole = self._rows(i), self.result
        prompt, seeds = whole.prompts[rows], whole.seeds[rows]
        recipe = {**whole.recipe, "prompts": prompt[:1], "seeds": seeds}
        return replace(whole, images=whole.images[rows], seeds=seeds, prompts=prompt, recipe=recipe)

    def accuracy_of(self, i: int) -> float | None:
        if self.true is None:
            return None
        part = self.true[self._rows(i)]
        return sum(part) / len(part)

    def _rows(self, i: int) -> slice:
        return slice(i * self.result.n, (i + 1) * self.result.n)


def runs(model: Model, job: Sample, prompts: Sequence[str | None]) -> list[Run]:
    """Every scale of the job, or the one run that it is."""
    scales: Sequence[float | None] = (None,) if job.scales is None else job.scales
    start = _start(model, job)
    done = []
    with progress() as bar:
        for scale in scales:
            task = bar.add_task("sampling" if scale is None else f"scale {scale:g}", total=None)
            result = _sampled(model, job, prompts, scale, start, _reporting(bar, task))
            done.append(Run(result, scale, judged(result)))
    return done


def _reporting(bar: Progress, task: TaskID) -> Callable[[int, int], None]:
    return lambda done, total: bar.update(task, completed=done, total=total)


def _start(model: Model, job: Sample) -> dict[str, Any]:
    """What every run starts from and may ask for by name, read once."""
    init = None if job.init is None else _pixels(model, job.init, model.shape[0])
    mask = None if job.mask is None else _pixels(model, job.mask, 1)[..., 0] / 255
    return {"init": init, "strength": job.strength, "mask": mask, **job.others()}


def _pixels(model: Model, path: Path, channels: int) -> Tensor:
    """A picture file [H, W, C] of the model's own size. Raises UsageError for one of another size."""
    found = read_picture(path, channels)
    (height, width), (h, w) = model.shape[1:], found.shape[:2]
    if (h, w) != (height, width):
        raise UsageError(f"{path} is {w}x{h} pixels and model '{model.name}' draws {width}x{height}: resize it")
    return found


def _sampled(
    model: Model,
    job: Sample,
    prompts: Sequence[str | None],
    scale: float | None,
    start: dict[str, Any],
    on_step: Callable[[int, int], None],
) -> Result:
    return model.sample(
        list(prompts),
        n=job.n,
        guidance=job.guidance if scale is None else at_scale(job.guidance, scale),
        sampler=job.sampler,
        steps=job.steps,
        grid=job.grid,
        seed=job.seed,
        negative=job.negative,
        **start,
        batch=job.batch,
        on_step=on_step,
    )


def judged(result: Result) -> list[bool] | None:
    """Whether each image shows its prompt, where all prompts are of the scenes world and its reader can read them."""
    if not legible(result.images, list(dict.fromkeys(result.prompts))):
        return None
    return [wrong is None for wrong in prompt_truth(result.images, [str(p) for p in result.prompts])]
