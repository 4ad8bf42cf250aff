"""`lodestar compare`: rules at equal network evaluations, each tuned on seeds of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ..errors import UsageError
from ..files import write_files
from . import show
from .config import to_json
from .going import Going, going
from .measuring import Begun, Measuring

if TYPE_CHECKING:
    from ..measure.comparison import Entry, OnSetting, Standing
    from ..measure.goal import Goal
    from ..measure.points import Points
    from ..measure.setting import Setting

Rules = Annotated[tuple[str, ...], arg(metavar="RULE ...")]
LEAST, MOST = 1, 100_000  # evaluations


@dataclass(frozen=True, kw_only=True)
class Compare(Measuring):
    """Compare guidance rules at equal network evaluations, on the same noise and prompts, each tuned on other seeds.

    What is measured is kept in --out, and what the tuning measured in a folder of that name: the same command goes on
    after a kill. Beside it are the tables, as .md and .csv.
    """

    # rules; a bare name as apg is tried at several strengths, rescale(cfg, phi=.5) at several scales; by default every
    # rule that the model can follow
    guidance: Rules = ()
    evaluations: float = 40.0  # of the network for one picture; the steps of each rule follow from what it costs
    minimize: str | None = None  # the metric by which strengths are chosen; by default FD
    maximize: str | None = None  # or one of which more is better, as "prompt accuracy"
    tune_n: int = 200  # samples of each of the better strengths, at least 80; and a quarter of them of every one
    tune_seed: int = 1_000_000  # of the first of these samples, whose prompts are others too
    out: Path = Path("compare.jsonl")  # the points

    def run(self) -> dict[str, object]:
        from ..measure.comparison import compare, halving
        from ..measure.points import Points

        goal = self._checked()
        begun = self.begun()
        tuning = self.bench(begun.bench.model, dict(begun.bench.others), self.tune_n, self.tune_seed)  # type: ignore[arg-type]
        told = {**begun.protocol, "evaluations": self.evaluations, "tuned": self._tuned(goal)}
        points, files = Points.open(self.out, told), self._files(tuning)
        begun.caution()
        found, left_out = self._entries(begun)
        with going("compare", *self._work(found, [points, *files.values()])) as tell:
            choose = halving(tuning.bench, self.tune_n, goal, files.__getitem__, self._tells(tell))
            done = list(compare(begun.bench, found, choose, points, self._tells(tell)))
        done.sort(key=lambda standing: goal.rank(standing.found))
        self._tables(done, left_out, told, begun)
        rules = [standing.to_json() for standing in done]
        return {"config": to_json(self), "protocol": told, "rules": rules, "left_out": left_out}

    def resolved(self) -> Compare:
        self._checked()
        chosen = self.sampling()._load().defaults
        return replace(self, sampler=self.sampler or chosen.sampler, grid=self.grid or chosen.grid)

    def _checked(self) -> Goal:
        """What is looked for, after the checks that need no model. Raises UsageError."""
        from ..measure.candidates import candidates
        from ..measure.comparison import first_round
        from ..measure.goal import Goal

        self.check()
        if self.steps is not None:
            raise UsageError("--steps follow from the cost of each rule here: give --evaluations")
        if not LEAST <= self.evaluations <= MOST:
            raise UsageError(f"--evaluations must lie in [{LEAST}, {MOST}], got {self.evaluations:g}")
        if abs(self.seed - self.tune_seed) < max(self.n, self.tune_n):
            raise UsageError(f"--tune-seed {self.tune_seed} has seeds of --seed {self.seed}: choose one far away")
        self._check_out()
        candidates(self.guidance)
        first_round(self.tune_n)
        return Goal.of(self.minimize or (None if self.maximize else "FD"), self.maximize)

    def _check_out(self) -> None:
        """Raise UsageError where the results could not be kept."""
        paths = [self.out, *self._beside()]
        if self.out in paths[1:] or (self.json is not None and self.json.absolute() in [p.absolute() for p in paths]):
            raise UsageError(f"--out {self.out} and the files beside it are several: give names such as compare.jsonl")
        for path in paths:
            show.check_file(path)

    def _beside(self) -> list[Path]:
        return [self.out.with_suffix(suffix) for suffix in (".md", ".csv")]

    def _tuned(self, goal: Goal) -> dict[str, object]:
        return {"samples": self.tune_n, "first_seed": self.tune_seed, "for": str(goal)}

    def _entries(self, begun: Begun) -> tuple[list[Entry], dict[str, str]]:
        """The rules that run, and why others do not. Raises UsageError where one was asked for by name."""
        from ..measure.candidates import LEFT_OUT, candidates
        from ..measure.comparison import entries
        from ..measure.setting import Setting

        own = begun.bench.model.defaults  # type: ignore[attr-defined]
        base = Setting(sampler=self.sampler or own.sampler, grid=self.grid or own.grid)
        found, out = entries(candidates(self.guidance), base, self.evaluations, begun.bench.rows)
        if self.guidance and out:
            raise UsageError(next(iter(out.values())))
        return found, {} if self.guidance else {**out, **LEFT_OUT}

    def _files(self, tuning: Begun) -> dict[int, Points]:
        """The points of tuning, by how many samples each has."""
        from ..measure.comparison import first_round
        from ..measure.points import Points

        folder = self.out.with_name(f"{self.out.stem}.tuning")
        counts = (first_round(self.tune_n), self.tune_n)
        return {n: Points.open(folder / f"{n}.jsonl", {**tuning.protocol, "samples": n}) for n in counts}

    def _work(self, found: Sequence[Entry], files: Sequence[Points]) -> tuple[int, float]:
        """How many settings are left to measure, and how many pictures to draw."""
        from ..measure.comparison import rounds

        every = [count for entry in found for count in (*rounds(entry, self.tune_n), self.n)]
        there = [each.samples for file in files for each in file]
        return max(0, len(every) - len(there)), float(max(1, sum(every) - sum(there)))

    def _tells(self, tell: Going) -> OnSetting:
        from ..guidance import parse
        from ..measure.scales import short

        def begins(what: str, setting: Setting, n: int | None) -> dict[str, Any]:
            text = f"{what}: {short(parse(str(setting.guidance)))}, {setting.steps} steps"
            return {"on_samples": tell.begin(text, n or self.n)}

        return begins

    def _tables(
        self, done: Sequence[Standing], left_out: Mapping[str, str], told: Mapping[str, Any], begun: Begun
    ) -> None:
        """What was found, on stdout and beside the points."""
        from .compared import Compared

        shown = Compared(done, left_out, told, begun.bench.detector, begun.bench.reference)
        shown.print()
        page, values = self._beside()
        write_files(self.out.parent, {page.name: shown.markdown(), values.name: shown.csv()})
        print(f"\npoints: {self.out}; tables: {page}, {values}")
