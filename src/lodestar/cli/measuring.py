"""What all commands that measure have alike: which model, seen by which detector, beside which real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..errors import UsageError
from . import show
from .command import Command
from .sample import Named, Nets, Sample, lines

if TYPE_CHECKING:
    from ..measure.bench import Bench
    from ..measure.reference import OnPictures
    from ..model import Model


@dataclass(frozen=True)
class Begun:
    """Everything read: what remains is to measure."""

    bench: Bench
    protocol: dict[str, Any]  # JSON values, the same for every setting

    def caution(self) -> None:
        """Warn of what would mislead in its numbers."""
        from ..conditions import LabelSchema
        from ..measure.protocol import cautions, counted

        bench, schema = self.bench, self.bench.model.schema  # type: ignore[attr-defined]
        classes = len(schema.classes) if isinstance(schema, LabelSchema) else 0
        labels = counted(bench.asked.prompts) if classes else None
        for caution in cautions(len(bench.asked), bench.detector, bench.reference, labels, classes):
            show.say("warning", caution)


@dataclass(frozen=True, kw_only=True)
class Measuring(Command):
    """Measure a model."""

    model: Positional[Annotated[str, arg(metavar="[MODEL]")]] = "scenes-32"  # a shipped model, or the folder of one
    # who looks: scenes, cifar10, inception:FILE, dinov2:FOLDER, clip:FOLDER or a classifier's folder; by default the
    # one for the reference
    detector: str | None = None
    # real pictures: scenes, edits, a folder, a .parquet file, a data set of the Hub, or statistics (.npz with mu and
    # sigma); by default what the model was trained on
    reference: str | None = None
    reference_n: int = 10_000  # pictures of it at most
    n: int = 1000  # samples
    each: int = 1  # samples of a prompt; from 2 on their diversity is measured
    labels: Literal["balanced", "drawn"] = "balanced"  # classes in equal numbers, or at random
    prompts: Path | None = None  # a file with a prompt a line, used in turn; by default the data's own
    seed: int = 0  # of the first sample; the next one's is one more. Another one also draws other prompts
    steps: int | None = None  # of the sampler; by default the model's own
    sampler: str | None = None  # as "ddim" or "ancestral(noise_mix=0.2)"; by default the model's own
    grid: str | None = None  # of levels: "u", the process's own time, "lam", log SNR, ...; by default the model's own
    named: Named = ()  # another prompt that the guidance asks for by name
    net: Nets = ()  # another model that the guidance asks for by name, as weak=runs/mine/early for auto(2)
    gradient: Nets = ()  # a classifier or CLIP that the guidance asks for by name
    batch: int = 64  # samples in one forward pass at most
    cache: Path | None = None  # where seen references are kept; by default LODESTAR_CACHE, or ~/.cache/lodestar
    device: str = "auto"  # cpu, cuda, mps; auto: the best there is
    precision: Literal["fp32", "bf16"] = "fp32"  # of the network; bf16 is faster on many machines, and less exact
    threads: int | None = None  # of the CPU; by default as torch has them

    def begun(self) -> Begun:
        """The bench of these options, and how it measures. Raises UsageError for what cannot be had."""
        self.check()
        model = self.sampling()._load()
        others = {k: v for k, v in self.sampling().others().items() if v}
        return self.bench(model, others, self.n, self.seed)

    def bench(self, model: Model, others: dict[str, Any], n: int, seed: int) -> Begun:
        """The same with other samples."""
        from ..measure.opening import open_bench

        prompts = None if self.prompts is None else lines(self.prompts)
        with self.progress() as on_pictures:
            return Begun(
                *open_bench(
                    model, self.detector, self.reference, n=n, each=self.each, seed=seed, labels=self.labels,
                    prompts=prompts, others=others, batch=self.batch, reference_n=self.reference_n, cache=self.cache,
                    on_pictures=on_pictures,
                )
            )  # fmt: skip

    def check(self) -> None:
        """What needs no model. Raises UsageError."""
        from ..measure.numbers import LEAST

        for name in ("reference_n", "each"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        if self.n < LEAST:
            raise UsageError(f"--n {self.n} samples are too few to say anything: give at least {LEAST}")
        self.sampling()._check_options()

    def sampling(self) -> Sample:
        """The same as pictures by prompts."""
        own = {f.name for f in fields(Sample)} & {f.name for f in fields(Measuring)}
        own -= {f.name for f in fields(Command)}
        return Sample(**{name: getattr(self, name) for name in own})

    @contextmanager
    def progress(self) -> Iterator[OnPictures]:
        """A bar of the reference's pictures. Raises UsageError where what was seen of them could not be kept."""
        from ..measure.reference import folder

        show.check_folder(self.cache or folder())
        with show.progress() as bar:
            task = bar.add_task("reference", total=self.reference_n)
            yield lambda done, total: bar.update(task, completed=done, total=total)
