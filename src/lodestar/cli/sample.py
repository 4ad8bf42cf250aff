"""`lodestar sample`: pictures, one for each prompt, and a table of what they cost and how true they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from tyro.conf import Positional, UseAppendAction, arg

from ..errors import UsageError
from ..files import write_files
from . import show
from .command import Command
from .config import to_json
from .pairs import pairs, without

if TYPE_CHECKING:
    from ..model import Model
    from ..request import Defaults
    from .runs import Run

_WHAT = ("prompt", "prompts", "unconditional")
_OWN = ("guidance", "sampler", "steps", "grid")  # what a model has defaults for
SLUG = 60  # characters of a prompt in a file's name

Scales = Annotated[tuple[float, ...] | None, arg(metavar="FLOAT ...")]
Named = Annotated[tuple[str, ...], UseAppendAction, arg(metavar="NAME=PROMPT")]
Nets = Annotated[tuple[str, ...], UseAppendAction, arg(metavar="NAME=FOLDER")]


@dataclass(frozen=True, kw_only=True)
class Sample(Command):
    """Sample a model by a prompt, by a file of them, or by none; once, or with the same seeds at several scales."""

    # what to draw, in quotes; a class for a model of classes
    prompt: Positional[Annotated[str | None, arg(metavar="[PROMPT]")]] = None
    model: str = "scenes-32"  # a shipped model, or the folder of one
    guidance: str | None = None  # a rule, as "interval(cfg(4), lo=.28, hi=5.4)", or a scale; by default the model's own
    scales: Scales = None  # the same seeds at each of these, of cfg or of the rule in --guidance
    negative: str | None = None  # what to guide away from, in place of the null
    named: Named = ()  # another prompt that the guidance asks for by name, as b="a blue square" for compose(name=b)
    net: Nets = ()  # another model that the guidance asks for by name, as weak=runs/mine/early for auto(2)
    gradient: Nets = ()  # a classifier or CLIP that the guidance asks for by name, as classifier=runs/classifier/model
    towards: str | None = None  # what these pull towards, in place of the prompt
    away: str | None = None  # and away from: the text or class that --towards is to be more likely than
    n: int = 8  # images of each prompt
    seed: int = 0  # of the first image; the next one's is one more
    steps: int | None = None  # of the sampler; by default the model's own
    sampler: str | None = None  # as "ddim" or "ancestral(noise_mix=0.2)"; by default the model's own
    grid: str | None = None  # of levels: "u", the process's own time, "lam", log SNR, ...; by default the model's own
    init: Path | None = None  # a picture to start from, of the model's own size
    strength: float | None = None  # share of the steps that are walked from it; by default 0.6, and with a mask 1
    mask: Path | None = None  # a picture of the same size: white where --init is made anew, black where it is kept
    batch: int = 64  # images in one forward pass at most
    unconditional: bool = False  # sample without a prompt
    prompts: Path | None = None  # a file with a prompt a line; blank lines and those after # are skipped
    out: Path | None = None  # a picture, by default sample.png; with --prompts a folder, by default samples
    pictures: Path | None = None  # a folder: each image also as a PNG of its own, pixel by pixel, with its recipe
    device: str = "auto"  # cpu, cuda, mps; auto: the best there is
    precision: Literal["fp32", "bf16"] = "fp32"  # of the network; bf16 is faster on many machines, and less exact
    threads: int | None = None  # of the CPU; by default as torch has them

    def kept(self, data: Mapping[str, Any], plain: Self) -> Mapping[str, Any]:
        """A prompt, a file of them, or none given here stands for whichever the configuration has; so does a name."""
        named = {k: without(data[k], here) for k, here in self._pairs().items() if isinstance(data.get(k), list)}
        same = all(getattr(self, name) == getattr(plain, name) for name in _WHAT)
        return {**{k: v for k, v in data.items() if same or k not in _WHAT}, **named}

    def resolved(self) -> Sample:
        self._asked()
        model = self._load()
        self.others()
        return self._settled(model)

    def run(self) -> dict[str, object]:
        from .runs import runs

        asked = self._asked()
        paths = self._paths(asked)
        model = self._load()
        settled = self._settled(model)
        done = runs(model, settled, asked)
        _print(done)
        results: dict[str, object] = {
            "config": to_json(settled),
            "model": model.name,
            "runs": [run.report() for run in done],
            "pictures": [_entry(done, i, path) for i, path in enumerate(paths)],
        }
        files = {path.name: _picture(done, i) for i, path in enumerate(paths)}
        index = {} if self.prompts is None else {"index.json": show.json_bytes(results)}
        write_files(paths[0].parent, {**files, **index})
        print(f"picture: {paths[0]}" if self.prompts is None else f"pictures: {paths[0].parent}, {len(paths)} of them")
        return {**results, **self._each(done)}

    def _each(self, done: Sequence[Run]) -> dict[str, object]:
        """Write each image by itself, where that is asked for."""
        if self.pictures is None:
            return {}
        files = done[0].result.save_each(self.pictures)
        print(f"single pictures: {self.pictures}, {len(files)} of them")
        return {"single_pictures": [str(file) for file in files]}

    def _asked(self) -> list[str | None]:
        """The prompts, after the checks that need no model."""
        given = [self.prompt is not None, self.prompts is not None, self.unconditional]
        if sum(given) > 1:
            raise UsageError("give one of PROMPT, --prompts FILE and --unconditional")
        if not any(given) or (self.prompt is not None and not self.prompt.strip()):
            raise UsageError("give a prompt in quotes, or --unconditional to sample without one")
        self._check_options()
        return [self.prompt] if self.prompts is None else list(lines(self.prompts))

    def _check_options(self) -> None:
        for name, count in {"n": self.n, "batch": self.batch, "steps": self.steps, "threads": self.threads}.items():
            if count is not None and count < 1:
                raise UsageError(f"--{name} must be a whole number of at least 1, got {count}")
        for name, text in {"guidance": self.guidance, "sampler": self.sampler, "grid": self.grid}.items():
            if text is not None and not text.strip():
                raise UsageError(f"--{name} is empty: give one, or leave it out for the model's own")
        self._pairs()
        if self.scales is not None and not self.scales:
            raise UsageError("--scales is empty: give the scales, as --scales 1 2 4")
        if self.towards is not None and not self.gradient:
            raise UsageError("--towards is for what pulls: give --gradient classifier=FOLDER, or clip=FOLDER")
        if self.away is not None and self.towards is None:
            raise UsageError("--away says what --towards is to be more likely than: give both")
        if self.init is None and (self.mask or self.strength is not None):
            raise UsageError(f"--{'mask' if self.mask else 'strength'} needs a picture to start from: give --init")
        if self.pictures is not None:
            show.check_folder(self.pictures)
        if self.pictures is not None and self.scales:
            raise UsageError(
                "--pictures saves the images of one run, and --scales makes several: leave one of them out"
            )
        guides = self.guidance is not None or self.negative is not None or self.named
        if self.scales and self.unconditional and not guides:
            raise UsageError("--scales needs a prompt: without one there is nothing to guide, and all rows are equal")

    def _paths(self, asked: Sequence[str | None]) -> list[Path]:
        """A picture's path for each prompt. Raises UsageError where they could not be written."""
        out = self._out()
        if self.prompts is None:
            show.check_picture(out, self.json, self.init, self.mask)
            return [out]
        if out.suffix.lower() == ".png":
            raise UsageError(f"--out {out} is the name of a picture, and with --prompts it is a folder: leave .png out")
        show.check_folder(out)
        paths = [out / f"{i:04d}-{_slug(str(prompt))}.png" for i, prompt in enumerate(asked, 1)]
        for path in paths:
            show.check_picture(path, self.json, self.init, self.mask, self.prompts)
        return paths

    def _out(self) -> Path:
        return self.out or Path("sample.png" if self.prompts is None else "samples")

    def _load(self) -> Model:
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        return self._loaded(self.model)

    def _loaded(self, name: str) -> Model:
        from ..model import load

        return load(name, self._place(), self.precision)

    def _place(self) -> str:
        return _device() if self.device == "auto" else self.device

    def _pairs(self) -> dict[str, dict[str, str]]:
        """What is given by name, of the options that take that."""
        folders = {"net": self.net, "gradient": self.gradient}
        found = {option: pairs(f"--{option}", "FOLDER", given) for option, given in folders.items()}
        return {"named": pairs("--named", "PROMPT", self.named), **found}

    def others(self) -> dict[str, Any]:
        """What the guidance may ask for by name, as a model takes it."""
        given = self._pairs()
        nets = {name: self._loaded(folder) for name, folder in given["net"].items()}
        return {"named": given["named"], "nets": nets, "gradients": self._gradients(given["gradient"])}

    def _gradients(self, folders: Mapping[str, str]) -> dict[str, Any]:
        from ..likelihood import Likelihood

        judges = {name: Likelihood.load(folder, self._place()) for name, folder in folders.items()}
        if self.towards is None:
            return dict(judges)
        return {name: judge.towards(self.towards, self.away) for name, judge in judges.items()}

    def _settled(self, model: Model) -> Sample:
        """With the model's own defaults filled in. Raises UsageError on a rule, sampler or grid that is not there."""
        from ..measure.scales import at_scale

        self._check_prompts(model)
        given = {name: value for name in _OWN if (value := getattr(self, name)) is not None}
        chosen = replace(model.defaults, **given)
        chosen.levels(model.process)
        guidance = self._guidance(chosen)
        for scale in self.scales or ():
            at_scale(guidance, scale)
        return replace(self, **{**asdict(chosen), "guidance": guidance}, out=self._out())

    def _check_prompts(self, model: Model) -> None:
        """Raise UsageError for texts where the model is told more than one thing."""
        from ..conditions import JointSchema

        if isinstance(model.schema, JointSchema) and not (self.prompt is None and self.prompts is None):
            why = f"model '{model.name}' is told {' and '.join(model.schema.parts)}, and a prompt here is one text"
            raise UsageError(f"{why}: lodestar edit gives it a picture and an instruction, model.sample what you like")

    def _guidance(self, chosen: Defaults) -> str | None:
        """The rule that will run, or the one whose scale is `--scales`; None where there is nothing to guide."""
        from ..request import ruled

        if self.guidance is None and self.unconditional and self.negative is None:
            return None
        if self.guidance is None and self.scales:
            chosen = replace(chosen, guidance="cfg")  # whose scale replaces its own
        return str(ruled(self.guidance, chosen, self.negative))


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def lines(path: Path) -> list[str]:
    """The prompts in a file, one a line. Raises UsageError where there are none."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        raise UsageError(f"cannot read --prompts {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--prompts {path} is no UTF-8 text: save it as one") from None
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise UsageError(f"--prompts {path} has no prompt in it: write one a line")
    return found


def _slug(prompt: str) -> str:
    return re.sub(r"\W+", "-", prompt.lower()).strip("-")[:SLUG].strip("-") or "prompt"


def _picture(done: Sequence[Run], i: int) -> bytes:
    """The picture of prompt i, a row for each run, as a PNG file."""
    from ..pictures import png, strip

    parts = [run.of_prompt(i) for run in done]
    prompt = "no prompt" if parts[0].prompts[0] is None else str(parts[0].prompts[0])
    labels = [run.label for run in done] if len(done) > 1 else []
    guidance = [run.guidance for run in done]
    recipe = {**parts[0].recipe, "guidance": guidance if labels else guidance[0]}
    return png(strip([part.images for part in parts], labels, prompt), recipe)


def _entry(done: Sequence[Run], i: int, path: Path) -> dict[str, object]:
    """What is in that picture, as JSON values."""
    part, accuracy = done[0].of_prompt(i), [run.accuracy_of(i) for run in done]
    told = {} if None in accuracy else {"prompt_accuracy": accuracy}
    guidance = [run.guidance for run in done]
    return {"file": str(path), "prompt": part.prompts[0], "seeds": part.seeds, "guidance": guidance, **told}


def _print(done: Sequence[Run]) -> None:
    judged = all(run.accuracy is not None for run in done)
    scaled = all(run.scale is not None for run in done)
    heads = ["scale", "w"] if scaled else ["guidance"]
    others = [k for k in ("backwards", "gradients") if any(getattr(run.result.tally, k) for run in done)]
    heads += ["prompt accuracy"] * judged + ["evaluations/image", "evaluations", *others, "seconds"]
    rows = []
    for run in done:
        first = [f"{run.scale:g}", f"{run.scale - 1:g}"] if run.scale is not None else [run.guidance]
        truth = [f"{run.accuracy:.1%}"] if run.accuracy is not None and judged else []
        cost = [run.result.evaluations, *(getattr(run.result.tally, k) for k in others)]
        rows.append([*first, *truth, f"{run.per_image:g}", *cost, f"{run.result.seconds:.2f}"])
    show.table(heads, rows, right=[head for head in heads if head != "guidance"])
