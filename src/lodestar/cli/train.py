"""`lodestar train`: a preset, changed at will, on the embedded world or on images of one's own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from tyro.conf import Fixed, Suppress, arg
from tyro.constructors import PrimitiveConstructorSpec

from .. import train as training
from ..data import Reading, Source, open_source
from ..data.scenes.source import ScenesSource, prompts
from ..data.scenes.triples import EditsSource, triples
from ..errors import UsageError
from ..measure.edits import measure_edits
from ..measure.prompts import measure_prompts
from ..model import Model
from ..train import PRESETS, AnyPreset, LikelihoodPreset, Preset, check, sized, with_parts
from ..train.presets import PARTS, unsized
from . import parse, show
from .command import Command
from .config import plain, read, to_json
from .pairs import pairs

SCENES_32 = "scenes-32"  # the preset whose options are shown where none is named
EMBEDDED = {"scenes": ScenesSource, "edits": EditsSource}  # the data that is in the package
# What a preset is of where no data is named.
OWN = {SCENES_32: "scenes", "study-16": "scenes", "edit-32": "edits"}
OWN |= dict.fromkeys(("classifier-scenes", "clip-scenes", "detector-scenes"), "scenes")

MEASURED = 32  # test prompts, as often as samples are drawn

_PROCESS, _DENSITY = (arg(metavar=f"{{{','.join(sorted(PARTS[part]))}}}") for part in ("process", "density"))


def _drop(texts: list[str]) -> float | dict[str, float]:
    """0.1, or a table as text=.05,image=.05,text+image=.05."""
    if "=" not in texts[0]:
        return _number(texts[0])
    return {parts: _number(p) for parts, p in pairs("a drop table", "FLOAT", texts[0].split(",")).items()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, got '{text}'") from None


def _written(drop: float | Mapping[str, float]) -> str:
    return ",".join(f"{k}={p:g}" for k, p in drop.items()) if isinstance(drop, Mapping) else str(drop)


_DROP = PrimitiveConstructorSpec(
    nargs=1,
    metavar="FLOAT | PARTS=FLOAT,...",
    instance_from_str=_drop,
    is_instance=lambda x: isinstance(x, int | float | Mapping),
    str_from_instance=lambda x: [_written(x)],
)


@dataclass(frozen=True)
class Plan(Preset):
    """A preset as options. What training itself finds out cannot be given; Any has the options of what stands there."""

    command: Suppress[Fixed[str]]
    drop: Annotated[float | Mapping[str, float], _DROP] = 0.1
    process: Any = None
    density: Any = None
    steps: Annotated[int, arg(name="sampling-steps")] = 20  # what the model is sampled with when nothing is asked
    measured: Suppress[Fixed[Mapping[str, object]]] = field(default_factory=dict)


@dataclass(frozen=True)
class LikelihoodPlan(LikelihoodPreset):
    """The same of what tells pictures apart."""

    command: Suppress[Fixed[str]]
    network: Any
    process: Any = None
    density: Any = None
    measured: Suppress[Fixed[Mapping[str, object]]] = field(default_factory=dict)


def plan_of(preset: AnyPreset) -> Plan | LikelihoodPlan:
    """The preset without its measured results, which are another run's."""
    given: dict[str, Any] = {**{f.name: getattr(preset, f.name) for f in fields(preset)}, "measured": {}}
    return Plan(**given) if isinstance(preset, Preset) else LikelihoodPlan(**given)


@dataclass(frozen=True, kw_only=True)
class Train(Command):
    """Train a model. The options after the first ones are the preset's own; `--preset NAME --help` shows its values."""

    # scenes-32, edit-32, study-16, cifar10, images, clip-scenes, or classifier- or detector- before scenes or cifar10
    preset: str | None = None
    data: str | None = None  # a folder, a .parquet file or a Hub id; "scenes" is the embedded world, "edits" of it
    out: Path | None = None  # the run's folder: log, checkpoints, sample strips and the model
    resume: bool = False  # go on from the last checkpoint in --out, as the run there was started
    process: Annotated[str | None, _PROCESS] = None  # of noise; by default the preset's; its numbers are below
    density: Annotated[str | None, _DENSITY] = None  # of the levels that are trained at, likewise
    size: str | None = None  # small, medium or large: the network's widths and depths; options of the network win
    init: str | None = None  # start from the weights of this model
    steps: int | None = None  # train so many steps (--train.steps)
    images: int | None = None  # train on so many images (--train.images)
    device: str | None = None  # cpu keeps it there; by default the best there is
    half: bool = False  # save the model in half precision, in a file of half the size
    quiet: bool = False  # no progress bar
    reading: Annotated[Reading, arg(name="")] = field(default_factory=Reading)
    plan: Annotated[Any, arg(name="")] = field(default_factory=lambda: plan_of(PRESETS[SCENES_32]))

    @classmethod
    def parse(cls, args: list[str]) -> Train:
        given = _chosen(args)
        start = _start(given)
        every = [*shlex.split(start)[2:], *args]
        asked = replace(parse.parse(cls, every, cls(plan=_plan(_chosen(every)))), **given.own())
        return replace(asked, plan=replace(asked.plan, command=_command(args, asked, start)))

    def kept(self, data: Mapping[str, Any], plain: Self) -> Mapping[str, Any]:
        return _kept(self, data)

    def resolved(self) -> Train:
        if self.out is None:
            raise UsageError("train needs --out, the folder of the run")
        if self.preset is None:
            raise UsageError(f"train needs --preset, one of {', '.join(PRESETS)}")
        data = self.data or OWN.get(self.preset)
        if data is None:
            raise UsageError(f"preset '{self.preset}' needs --data: a folder of images, a .parquet file or a Hub id")
        named: dict[str, Any] = {part: type(getattr(self.plan, part)).__name__.lower() for part in PARTS}
        settled = replace(self, data=data, plan=self._lasting(), steps=None, images=None, size=None, **named)
        check(settled.plan)
        if data in EMBEDDED:
            settled._source()  # which has something to say of the resolution
        return settled

    def run(self) -> dict[str, object]:
        settled = self.resolved()
        assert settled.out is not None  # as `resolved` has checked
        show.check_folder(settled.out)
        run = training.train(
            settled.plan,
            settled._source,
            settled.out,
            resume=self.resume,
            init=self.init,
            device=self.device,
            measure=_MEASURES.get((str(settled.data), getattr(settled.plan, "condition", ""))),
            dtype=torch.float16 if self.half else torch.float32,
            quiet=self.quiet,
        )
        _say(run)
        told = {"model": str(run.out / "model"), "steps": run.steps, "stopped": run.stopped, "seconds": run.seconds}
        return {"config": to_json(settled), **told, "last": plain(run.last)}

    def _lasting(self) -> Plan | LikelihoodPlan:
        """The plan with --steps or --images in it."""
        if self.steps is None and self.images is None:
            return self.plan
        if self.steps is not None and self.images is not None:
            raise UsageError("give one of --steps and --images")
        return replace(self.plan, train=replace(self.plan.train, steps=self.steps or 0, images=self.images or 0))

    def _source(self) -> Source:
        if self.data in EMBEDDED:
            return EMBEDDED[self.data](self.plan.resolution)
        return open_source(str(self.data), self.plan.resolution, self.reading)


@dataclass(frozen=True)
class _Chosen:
    """What decides on the defaults of all else, or is not left to them."""

    preset: str | None = None
    process: str | None = None
    density: str | None = None
    size: str | None = None
    config: Path | None = None
    json: Path | None = None
    out: Path | None = None
    resume: bool = False
    steps: int | None = None
    images: int | None = None

    def own(self) -> dict[str, Any]:
        """What is asked for anew each time: where the results go, and how long to train where that is said."""
        lasts = {"steps": self.steps, "images": self.images}
        return {"json": self.json, **(lasts if any(v is not None for v in lasts.values()) else {})}


def _chosen(args: list[str]) -> _Chosen:
    return parse.known(_Chosen, args, "lodestar train", add_help=False)[0]


def _start(given: _Chosen) -> str:
    """The command of the run to go on with, where nothing but its folder is named; empty if no command started it."""
    if not given.resume or given.out is None or given.preset or given.config:
        return ""
    start = training.started_by(given.out)
    return start if start.startswith("lodestar train ") else ""


def _command(args: list[str], asked: Train, start: str) -> str:
    """What to note as the command: what its configuration says with what is said here, or this after the run's own."""
    said = [a for a in args if a != "--dry-run"]
    if asked.config is None:
        return " && ".join([start] * bool(start) + [shlex.join(["lodestar", "train", *said])])
    at = next(i for i, a in enumerate(said) if a.partition("=")[0] == "--config")
    beside = said[:at] + said[at + (1 if "=" in said[at] else 2) :]
    return " ".join([asked.plan.command, *map(shlex.quote, beside)])


def _plan(chosen: _Chosen) -> Plan | LikelihoodPlan:
    """The preset that these choices, or else their configuration, ask for, with the parts that they ask for."""
    data = {} if chosen.config is None else _kept(chosen, read(chosen.config, Train.name()))
    names = ("preset", "size", *PARTS)
    said = {name: str(asked) for name in names if (asked := getattr(chosen, name) or data.get(name))}
    preset = training.preset(said.get("preset", SCENES_32))
    if "size" in said:
        preset = replace(preset, network=sized(preset.network, said["size"]))  # type: ignore[arg-type]
    return plan_of(with_parts(preset, **{part: said[part] for part in PARTS if part in said}))


def _kept(given: _Chosen | Train, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stays of a configuration beside the options given here.

    Another preset leaves nothing of its plan, another process or density nothing of its numbers, a size no widths.
    """
    if given.preset not in (None, data.get("preset")):
        return {k: v for k, v in data.items() if k not in ("plan", *PARTS)}
    if not isinstance(plan := data.get("plan"), Mapping):
        return data
    other = [part for part in PARTS if getattr(given, part) not in (None, data.get(part))]
    plan = {k: v for k, v in plan.items() if k not in other}
    return {**data, "plan": plan if given.size is None else _unsized(plan)}


def _unsized(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plan without what a size says of its network."""
    network = plan.get("network")
    return {**plan, "network": unsized(network)} if isinstance(network, Mapping) else plan


def _prompts(model: Model) -> dict[str, object]:
    return {"prompt_accuracy": measure_prompts(model, prompts(MEASURED)).share}


def _edits(model: Model) -> dict[str, object]:
    return {"edit_accuracy": measure_edits(model, triples(MEASURED)).accuracy.share}


# What is logged as often as samples are drawn, by data and condition.
_MEASURES = {("scenes", "text"): _prompts, ("edits", "text+image"): _edits}


def _say(run: training.Run) -> None:
    if run.stopped:
        show.say("stopped", f"{run.stopped} after {run.steps} steps; --resume goes on from there")
    heads = ("model", "steps", "seconds")
    show.table(heads, [(run.out / "model", run.steps, f"{run.seconds:.1f}")], right=heads[1:])
