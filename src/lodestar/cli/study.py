"""`lodestar study`: the CFG paper's studies on models of one's own, and which of its claims hold there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from tyro.conf import Positional, arg

from ..data import Reading
from ..errors import UsageError
from . import show
from .command import Command
from .config import to_json
from .measuring import Measuring
from .train import OWN, Train, plan_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..measure.setting import Evaluation, Setting
    from ..measure.study import Plan
    from ..measure.study.claims import Verdict
    from ..model import Model
    from ..train import Preset

Floats = Annotated[tuple[float, ...] | None, arg(metavar="FLOAT ...")]
Ints = Annotated[tuple[int, ...] | None, arg(metavar="INT ...")]
QUICK: Mapping[str, Any] = {"n": 40, "reference_n": 100, "images": 64}  # what --quick puts in the place of these
QUICK_STEPS: Mapping[str, tuple[int, ...]] = {"strength": (2,), "dropout": (2,), "steps": (1, 2)}


@dataclass(frozen=True, kw_only=True)
class Study(Command):
    """Repeat a study of the CFG paper: train the models that are not there, draw the points that are not there, and
    say of each claim whether it is confirmed, refuted or undecided."""

    what: Positional[Literal["strength", "dropout", "steps"]] = "strength"
    out: Path = Path("study")  # a folder for the runs, points and pages; studies that share it share what they can
    preset: str = "study-16"  # of the models
    data: str | None = None  # that they are trained on and compared with; by default the preset's own
    images: int | None = None  # to train each of them on; by default as the preset says
    drops: Floats = None  # how often the condition is dropped in training: a model each; by default as the study has it
    scales: Floats = None  # of cfg, the paper's w and 1; likewise
    steps: Ints = None  # of the sampler; likewise
    sampler: str | None = None  # by default the paper's, ancestral(noise_mix=0.3)
    grid: str | None = None  # of levels; by default u
    n: int = 2000  # samples of a point
    each: int = 2  # samples of a prompt; from 2 on their diversity is measured
    seed: int = 0  # of the first sample
    detector: str | None = None  # who looks, as for evaluate; by default the one for the data
    reference_n: int = 10_000  # real pictures at most
    batch: int = 64  # samples in one forward pass at most
    device: str = "auto"  # cpu, cuda, mps; auto: the best there is
    threads: int | None = None  # of the CPU; by default as torch has them
    quick: bool = False  # a tiny network, a few samples and steps: only to see that everything is in order
    reading: Annotated[Reading, arg(name="")] = field(default_factory=Reading)

    def resolved(self) -> Study:
        from ..measure.numbers import LEAST

        asked = self._quick() if self.quick else self
        if asked.n < LEAST:
            raise UsageError(f"--n {asked.n} samples are too few to say anything: give at least {LEAST}")
        data = asked.data or OWN.get(asked.preset)
        if data is None:
            raise UsageError(f"preset '{asked.preset}' needs --data: a folder of images, a .parquet file or a Hub id")
        plan = asked._plan()
        settled = {name: getattr(plan, name) for name in ("drops", "scales", "steps", "sampler", "grid")}
        found = replace(asked, data=data, **settled)
        for drop in plan.drops:
            found._train(drop).resolved()
        return found

    def run(self) -> dict[str, object]:
        from ..plotting import check

        check("plots", "figure")
        asked = self.resolved()
        show.check_folder(asked.out)
        if asked.threads is not None:
            torch.set_num_threads(asked.threads)
        for drop in asked._plan().drops:
            stopped = asked._trained(drop)
            if stopped is not None:
                return {"config": to_json(asked), "stopped": stopped}
        return asked._told(*asked._measured())

    def _quick(self) -> Study:
        return replace(self, **QUICK, steps=self.steps or QUICK_STEPS[self.what])

    def _plan(self) -> Plan:
        from ..measure.study import plan

        return plan(self.what, self.sampler, self.grid, drops=self.drops, scales=self.scales, steps=self.steps)

    def _trained(self, drop: float) -> str | None:
        """Train the model of this drop, or go on with it, where it is not finished; by which signal it was stopped."""
        from ..train.folder import continued, recorded

        train = self._train(drop)
        if train.resume:
            continued(train.plan, recorded(self._folder(drop)))  # or it is another model that stands there
        if self._finished(drop, train.plan):
            return None
        show.say("training", f"a model that drops the condition with probability {drop:g}, in {train.out}")
        return train.run().get("stopped")  # type: ignore[return-value]

    def _finished(self, drop: float, preset: Preset) -> bool:
        """Whether the model has seen all its images; one that was stopped is saved too."""
        folder = self._folder(drop) / "model"
        if not (folder / "config.json").is_file():
            return False
        recipe: Any = self._load(drop).card.get("recipe", {})
        return bool(recipe.get("images", 0) >= preset.train.total * preset.train.batch)

    def _train(self, drop: float) -> Train:
        """The training of this model, as `lodestar train` does it."""
        folder = self._folder(drop)
        there = (folder / "config.json").is_file()
        chosen = replace(
            self._preset(), drop=drop, command=f"lodestar study {self.what} --out {placeless(str(self.out))}"
        )
        return Train(
            preset=self.preset, data=self.data, out=folder, resume=there, reading=self.reading,
            device=None if self.device == "auto" else self.device, quiet=True, plan=plan_of(chosen),
        )  # fmt: skip

    def _preset(self) -> Preset:
        from ..train import Preset, preset

        chosen = preset(self.preset)
        if not isinstance(chosen, Preset):
            raise UsageError(f"'{self.preset}' is no preset of a model that draws: choose study-16 or cifar10")
        images: dict[str, Any] = {"images": self.images, "steps": 0} if self.images else {}
        chosen = tiny(chosen) if self.quick else chosen
        return replace(chosen, train=replace(chosen.train, threads=self.threads or 0, **images))

    def _folder(self, drop: float) -> Path:
        return self.out / f"p{drop:g}"

    def _load(self, drop: float) -> Model:
        from ..model import load

        return load(self._folder(drop) / "model", self._measuring().sampling()._place())

    def _measuring(self) -> Measuring:
        own = {f.name for f in fields(Measuring)} & {f.name for f in fields(Study)} - {f.name for f in fields(Command)}
        own -= {"sampler", "steps", "grid"}  # which every point has of its own
        return Measuring(**{name: getattr(self, name) for name in own}, reference=self.data)

    def _measured(self) -> tuple[dict[float, list[Evaluation]], dict[str, Any], Callable[[str], str]]:
        """All points, what the models have in common in how they were measured, and what metrics are called."""
        from ..measure.numbers import called
        from ..measure.study import measured

        begun = {}

        def begin(drop: float) -> tuple[Any, Mapping[str, Any]]:
            begun[drop] = self._measuring().bench(self._load(drop), {}, self.n, self.seed)
            return begun[drop].bench, begun[drop].protocol

        with show.progress() as bar:
            found = measured(self._plan(), begin, self.out, _reporting(bar, self.n))
        protocol = {k: v for k, v in next(iter(begun.values())).protocol.items() if k != "model"}
        models = {f"{drop:g}": each.protocol["model"] for drop, each in begun.items()}
        seen = next(iter(begun.values())).bench.detector
        return found, {"models": models, **protocol}, lambda name: called(name, seen)

    def _told(
        self, found: dict[float, list[Evaluation]], protocol: dict[str, Any], called: Callable[[str], str]
    ) -> dict[str, object]:
        """The page and the picture, and the verdicts on the screen."""
        from ..files import write_file
        from ..measure.study import page, plots, verdicts
        from ..pictures import picture, save_png

        plan, settled = self._plan(), placeless({"config": to_json(self), **protocol})
        judged = verdicts(plan, found)
        told, shown = self.out / f"{self.what}.md", self.out / f"{self.what}.png"
        save_png(picture(plots.draw(plan, found, called)), shown, settled["config"])
        written = page.page(plan, found, judged, settled, called, shown.name)
        write_file(told, written.encode())
        _print(judged)
        print(f"page: {told}")
        return {"config": to_json(self), "verdicts": [_entry(verdict) for verdict in judged], "page": str(told)}


def placeless(value: Any) -> Any:
    """JSON values with the name alone of every file or folder that is told by its place on this machine."""
    if isinstance(value, Mapping):
        return {name: placeless(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [placeless(each) for each in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def tiny(preset: Preset) -> Preset:
    """The same with a network that is good for nothing and takes no time."""
    from ..networks.tower import TowerConfig
    from ..networks.unet import UNetConfig

    network = UNetConfig(channels=(8, 16), transformers=(0, 1), head=8, vector=16, tower=TowerConfig(dim=16, head=8))
    few = replace(preset.train, batch=16, warmup=1, validate_every=0, sample_every=0, early=0.0)
    return replace(preset, network=network, train=few)


def _reporting(bar: Progress, n: int) -> Callable[[float, Setting], Callable[[int, int], None]]:
    def begin(drop: float, setting: Setting) -> Callable[[int, int], None]:
        task = bar.add_task(f"p {drop:g}, {setting.guidance}, T {setting.steps}", total=n)
        return lambda done, total: bar.update(task, completed=done, total=total)

    return begin


def _print(judged: Sequence[Verdict]) -> None:
    rows = [(v.claim, v.said, "" if v.needed is None else f"{v.needed:,}") for v in judged]
    show.table(("claim", "verdict", "decided by n"), rows, right=("decided by n",))


def _entry(verdict: Verdict) -> dict[str, object]:
    """As JSON values."""
    parts = [{"what": p.what, **p.difference.to_json(), "verdict": verdict.of(p)} for p in verdict.parts]
    return {
        "claim": verdict.claim,
        "verdict": verdict.said,
        "seen": verdict.seen,
        "n": verdict.n,
        "needed": verdict.needed,
        "parts": parts,
    }
