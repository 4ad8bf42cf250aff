"""`lodestar evaluate`: what a model's samples, or pictures that are there, are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ..errors import UsageError
from . import show
from .config import to_json
from .measuring import Measuring

if TYPE_CHECKING:
    from ..measure.features import Detector
    from ..measure.numbers import Number
    from ..measure.reference import Reference
    from ..measure.setting import Evaluation
    from ..request import Defaults

PICTURES = (".npz", ".parquet")
OWN = ("guidance", "sampler", "steps", "grid")  # what a model has defaults for
# what only a model is asked
SAMPLING = (*OWN, "precision", "n", "each", "labels", "prompts", "seed", "named", "net", "gradient", "batch")


@dataclass(frozen=True, kw_only=True)
class Evaluate(Measuring):
    """Measure what a model draws, or pictures that were drawn before, with how it was measured."""

    # a shipped model, the folder of one; or pictures: a folder, an .npz of uint8 [N, H, W, 3], a .parquet file
    model: Positional[Annotated[str, arg(metavar="[MODEL|PICTURES]")]] = "scenes-32"
    guidance: str | None = None  # a rule, as "interval(cfg(4), lo=.28, hi=5.4)", or a scale; by default the model's own

    def run(self) -> dict[str, object]:
        from ..measure.numbers import called

        self.check()
        found, told, seen = self._pictures() if self._drawn_before() else self._samples()
        _table(found.numbers, seen)
        print()
        show.table(("", ""), _lines(told))
        numbers = {called(name, seen): number.to_json() for name, number in found.numbers.items()}
        return {"config": to_json(self), "numbers": numbers, "protocol": told, "evaluation": found.to_json()}

    def resolved(self) -> Evaluate:
        self.check()
        if self._drawn_before():
            return self
        return replace(self, **_filled(self.sampling()._load().defaults, self))

    def _drawn_before(self) -> bool:
        """Whether pictures are meant. Raises UsageError for what is neither."""
        from ..model_folder import CONFIG, SHIPPED

        path = Path(self.model).expanduser()
        if path.suffix in PICTURES:
            return True
        return path.is_dir() and not (path / CONFIG).is_file() and not (SHIPPED / self.model / CONFIG).is_file()

    def _samples(self) -> tuple[Evaluation, dict[str, Any], Detector]:
        from ..measure.setting import Setting
        from ..request import Defaults

        Defaults(**_filled(Defaults(), self))  # a rule or sampler that is none is told before anything is looked at
        begun = self.begun()
        bench = begun.bench
        chosen = _filled(bench.model.defaults, self)  # type: ignore[attr-defined]
        begun.caution()
        with show.progress() as bar:
            task = bar.add_task("sampling", total=len(bench.asked))
            found = bench(Setting(**chosen), on_samples=lambda done, total: bar.update(task, completed=done))
        cost = {"evaluations_per_image": found.evaluations, "seconds": round(found.seconds, 2)}
        told = {**begun.protocol, **chosen, **cost, "seconds_of_looking": round(found.looking, 2)}
        return found, told, bench.detector

    def _pictures(self) -> tuple[Evaluation, dict[str, Any], Detector]:
        from ..data.listing import listing
        from ..measure.protocol import cautions, counted, protocol
        from ..measure.there import measure_listing

        self._refuse_sampling()
        listed = listing(self.model)
        size = next(listed.batches()).shape[2:]
        seen, real = self._beside((size[0], size[1]))
        labels = counted(listed.said) if listed.said and listed.kind == "class" else None
        for caution in cautions(len(listed), seen, real, labels):
            show.say("warning", caution)
        with show.progress() as bar:
            task = bar.add_task("looking", total=len(listed))
            found = measure_listing(listed, seen, real, on_samples=lambda done, total: bar.update(task, completed=done))
        pictures = {"pictures": self.model, "samples": len(listed), "size": list(size), "told": listed.kind}
        return found, protocol(seen, real, pictures), seen

    def _beside(self, size: tuple[int, int]) -> tuple[Detector, Reference]:
        """Who looks, and what these pictures of H x W are compared with."""
        from ..measure.opening import looking
        from ..measure.reference import folder
        from ..measure.sources import compared, source

        if self.reference is None:
            raise UsageError("say what these pictures are compared with: --reference scenes, a folder, a .parquet file")
        if size[0] != size[1] and not self.reference.endswith(".npz"):
            what = f"these pictures are {size[1]}x{size[0]} pixels"
            raise UsageError(f"{what}, and a reference is square: cut them first, or give statistics (.npz)")
        opened = source(self.reference, size[1])
        seen = looking(self.detector, self.reference, self.sampling()._place())
        with self.progress() as on_pictures:
            cache = self.cache or folder()
            return seen, compared(self.reference, opened, seen, self.reference_n, cache, on_pictures)

    def _refuse_sampling(self) -> None:
        """Raise UsageError for options that only sampling has."""
        plain = Evaluate()
        given = [name for name in SAMPLING if getattr(self, name) != getattr(plain, name)]
        if given:
            option = given[0].replace("_", "-")
            raise UsageError(f"--{option} is for a model, and {self.model} holds pictures that are drawn already")


def _filled(defaults: Defaults, asked: Evaluate) -> dict[str, Any]:
    """How the model is sampled: as asked, and else as it is by default."""
    return {name: getattr(asked, name) if getattr(asked, name) is not None else getattr(defaults, name) for name in OWN}


def _table(numbers: Mapping[str, Number], seen: Detector) -> None:
    """Each metric with its interval, and which side is better."""
    from ..measure.numbers import about, called

    rows = []
    for name, number in numbers.items():
        value, low, high = (f"{v:.4g}" for v in (number.value, number.low, number.high))
        rows.append([called(name, seen), value, f"{low} to {high}", about(name).better])
    show.table(["metric", "value", "95 %", "better"], rows, right=["value", "95 %"])


def _lines(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The protocol, a line for each fact."""
    from .info import lines

    return [("protocol", ""), *lines(told)]
