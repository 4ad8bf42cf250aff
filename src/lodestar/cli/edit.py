"""`lodestar edit`: a picture, changed by an instruction."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..errors import UsageError
from ..files import write_file
from . import show
from .command import Command
from .config import to_json
from .sample import Sample

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.images import Picture
    from ..model import Model
    from ..result import Result

EDIT_32 = "edit-32"


@dataclass(frozen=True, kw_only=True)
class Edit(Command):
    """Change a picture as an instruction says; what it does not name stays."""

    # the one to edit, of any size: brought to the model's, and said how
    picture: Positional[Annotated[Path | None, arg(metavar="[PICTURE]")]] = None
    instruction: Positional[Annotated[str | None, arg(metavar="[INSTRUCTION]")]] = None  # what to change, in quotes
    model: str = EDIT_32  # a shipped model, or the folder of one; it is conditioned on a text and a picture
    guidance: str | None = None  # a rule, as "edit(text=5, image=1.5)", or a scale; by default the model's own
    n: int = 1  # pictures to make; more than one come as a strip, after the one that was edited
    strip: bool = False  # one comes so too, enlarged
    seed: int = 0  # of the first picture; the next one's is one more
    steps: int | None = None  # of the sampler; by default the model's own
    sampler: str | None = None  # as "ddim" or "ancestral(noise_mix=0.2)"; by default the model's own
    grid: str | None = None  # of levels: "u", the process's own time, "lam", log SNR, ...; by default the model's own
    batch: int = 64  # pictures in one forward pass at most
    out: Path = Path("edited.png")  # the picture after
    device: str = "auto"  # cpu, cuda, mps; auto: the best there is
    precision: Literal["fp32", "bf16"] = "fp32"  # of the network; bf16 is faster on many machines, and less exact
    threads: int | None = None  # of the CPU; by default as torch has them

    def resolved(self) -> Edit:
        self._check()
        model, _ = self._begun()
        return self._settled(model)

    def run(self) -> dict[str, object]:
        path = self._check()
        show.check_picture(self.out, self.json, path)
        model, before = self._begun()
        settled = self._settled(model)
        _say(path, before)
        result = _edited(model, before, settled)
        right = _right(before, result, settled)
        write_file(self.out, self._picture(before, result))
        _print(result, right)
        print(f"picture: {self.out}")
        return {"config": to_json(settled), **_told(model, before, result, right)}

    def _check(self) -> Path:
        """The picture, after the checks that need no model."""
        if self.picture is None or self.instruction is None:
            raise UsageError('give a picture and an instruction, as: lodestar edit in.png "make the circle green"')
        if not self.instruction.strip():
            raise UsageError("the instruction is empty: say what to change, as 'make the circle green'")
        if not self.picture.is_file():
            raise UsageError(f"there is no file {self.picture}")
        self._sampling()._check_options()
        return self.picture

    def _begun(self) -> tuple[Model, Picture]:
        """The model, and the picture as it takes it."""
        from ..systems.editing import fitted

        model = self._sampling()._load()
        return model, fitted(model, self._check())

    def _sampling(self) -> Sample:
        """The same as pictures by a prompt, which is settled alike."""
        own = {f.name for f in fields(self)} - {f.name for f in fields(Command)}
        return Sample(**{f.name: getattr(self, f.name) for f in fields(Sample) if f.name in own})

    def _settled(self, model: Model) -> Edit:
        settled = self._sampling()._settled(model)
        return replace(self, **{name: getattr(settled, name) for name in ("guidance", "sampler", "steps", "grid")})

    def _picture(self, before: Picture, result: Result) -> bytes:
        """A PNG with its recipe: the picture itself, or a strip."""
        import torch

        from ..pictures import picture, png, strip

        recipe = {**result.recipe, "picture": {"file": str(self.picture), "changed": list(before.notes)}}
        if self.n == 1 and not self.strip:
            return png(picture(result.images[0]), recipe)
        return png(strip([torch.cat([_pixels(before)[None], result.images])], title=str(self.instruction)), recipe)


def _edited(model: Model, before: Picture, asked: Edit) -> Result:
    from ..systems import edit

    names = ("n", "guidance", "sampler", "steps", "grid", "seed", "batch")
    options: dict[str, Any] = {name: getattr(asked, name) for name in names}
    with show.progress() as bar:
        task = bar.add_task("editing", total=None)
        return edit(
            model,
            _pixels(before),
            str(asked.instruction),
            on_step=lambda done, total: bar.update(task, completed=done, total=total),
            **options,
        )


def _pixels(picture: Picture) -> Tensor:
    """uint8 [H, W, 3]."""
    return picture.pixels.movedim(0, -1)


def _right(before: Picture, result: Result, asked: Edit) -> list[bool] | None:
    """Whether each picture follows the instruction, where all is of the scenes world; None: nobody can tell."""
    from ..measure.edits import read_edits

    after = result.images.movedim(-1, 1)
    found = read_edits(before.pixels.expand_as(after), after, [str(asked.instruction)] * len(after))
    return None if found is None else found.right


def _say(path: Path, before: Picture) -> None:
    """How the picture was brought to the model's size and colours."""
    from ..data.images import CHANGES

    if before.notes:
        side = before.pixels.shape[-1]
        show.say("note", f"{path}: {', '.join(CHANGES[note] for note in before.notes)}; edited at {side}x{side} pixels")


def _print(result: Result, right: list[bool] | None) -> None:
    heads = ["guidance", *["edit accuracy"] * (right is not None), "evaluations/image", "evaluations", "seconds"]
    truth = [] if right is None else [f"{sum(right) / len(right):.1%}"]
    cost = [f"{result.evaluations / len(result.seeds):g}", result.evaluations, f"{result.seconds:.2f}"]
    show.table(heads, [[result.recipe["guidance"], *truth, *cost]], right=heads[1:])


def _told(model: Model, before: Picture, result: Result, right: list[bool] | None) -> dict[str, object]:
    """The results as JSON values."""
    truth = {} if right is None else {"edit_accuracy": sum(right) / len(right)}
    cost = {"evaluations": result.evaluations, "seconds": round(result.seconds, 3)}
    guidance = result.recipe["guidance"]
    return {
        "model": model.name,
        "guidance": guidance,
        "changed": list(before.notes),
        "seeds": result.seeds,
        **truth,
        **cost,
    }
