"""What can be chosen on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lodestar.precision import Precision

Name = Literal["sampling", "training", "importing", "tilting", "metrics", "tuning"]
NAMES: tuple[Name, ...] = ("sampling", "training", "importing", "tilting", "metrics")

RESULTS = Path(__file__).parent / "results"
QUICK = Path("runs/quick-benchmarks")  # not among the results


@dataclass(frozen=True)
class Options:
    quick: bool = False
    """A tiny model and few repetitions: shows in seconds that everything works, and measures nothing."""
    out: Path | None = None
    """Folder of the results; by default benchmarks/results, and for a quick run runs/quick-benchmarks."""
    repetitions: int = 7
    """Of each side, after one to warm up."""
    threads: int = 0
    """Of the CPU; 0: as torch has them."""
    device: str = "cpu"
    """Where networks run."""
    seconds: float = 300.0
    """Of training, for each side."""
    slices: int = 10
    """Turns that each side's training is cut into."""
    layers: int = 1
    """Residual blocks per level of the peer; 1 is what makes it fastest."""
    optimizer: str | None = None
    """Of both sides' training; by default the preset's."""
    models: tuple[str, ...] = ("scenes-32", "edit-32")
    """To be tuned: shipped ones."""
    samples: int | None = None
    """Of each setting while tuning; by default as many as the benchmark has for the model."""
    alone: bool = False
    """Tune the strength alone: no interval, and no schedule."""
    compile: bool = False
    """Compile the networks that are tuned."""
    detector: str = "scenes"
    """Who looks while tuning: a shipped detector, or the folder of one."""
    precision: Precision = "fp32"
    """Of the networks that are tuned."""

    @property
    def folder(self) -> Path:
        return self.out or (QUICK if self.quick else RESULTS)

    @property
    def rounds(self) -> int:
        return 2 if self.quick else self.repetitions
