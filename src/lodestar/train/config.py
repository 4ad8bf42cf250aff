"""How long and how a network is trained: numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from ..errors import UsageError, unknown
from ..precision import CHOICES, Choice

SCHEDULES = ("cosine", "constant", "linear", "wsd")


@dataclass(frozen=True)
class TrainConfig:
    """One of `steps` and `images` says how long. A step is one update of the weights, on `batch` images."""

    steps: int = 0  # 0: as many as `images` fill
    images: int = 0
    batch: int = 128  # images a step, in all processes together
    accumulate: int = 1  # equal parts that a batch is worked off in, to save memory
    optimizer: str = "adamw"
    lr: float = 1e-3  # at its highest
    warmup: int = 200  # steps of linear rise
    schedule: Literal["cosine", "constant", "linear", "wsd"] = "cosine"  # after the warm-up, down to `lr_end`
    cooldown: float = 0.25  # share of the steps that a "wsd" schedule goes down in
    lr_end: float = 0.0  # share of lr
    weight_decay: float = 0.01  # on matrices and kernels only
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0  # norm of the whole gradient; 0: none
    ema_half_life: float = 10_000  # images; 0: no averaging
    ema_ramp: float = 0.05  # the half-life is never more than this share of the images seen
    early: float = 0.125  # share of the run after which its average is kept in early/; EDM2's on ImageNet-64; 0: none
    only: str = ""  # train this part of the network, as "inner", and leave the rest as it is; empty: all of it
    precision: Choice = "auto"  # auto: the faster, as measured at the start
    compile: bool = False
    seed: int = 0
    log_every: int = 50  # steps
    validate_every: int = 1000  # steps; 0: never
    validate_images: int = 256
    sample_every: int = 1000  # steps; 0: never
    checkpoint_every: int = 500  # steps
    checkpoint_seconds: float = 30.0  # and never sooner than this after the last
    keep: int = 2  # checkpoints
    threads: int = 0  # of the CPU; 0: as torch has them

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.images > 0):
            raise UsageError(f"give either steps or images, above 0, got steps {self.steps} and images {self.images}")
        self._at_least(1, "batch", "accumulate", "log_every", "checkpoint_every", "keep", "validate_images")
        self._at_least(0, *(f.name for f in fields(self) if f.type in ("int", "float") and f.name != "seed"))
        if self.batch % self.accumulate:
            raise UsageError(f"a batch of {self.batch} does not divide into {self.accumulate} equal parts (accumulate)")
        if self.lr == 0 or not all(0 <= b < 1 for b in self.betas):
            raise UsageError(f"lr must be more than 0 and betas in [0, 1), got {self.lr} and {self.betas}")
        if max(self.cooldown, self.lr_end) > 1:
            got = f"{self.cooldown} and {self.lr_end}"
            raise UsageError(f"cooldown and lr_end are shares, at most 1, got {got}")
        if self.early >= 1:
            raise UsageError(f"early is a share of the run, less than 1, got {self.early}: give 0 to keep none")
        for kind, name, known in (("precision", self.precision, CHOICES), ("schedule", self.schedule, SCHEDULES)):
            if name not in known:
                raise unknown(kind, name, known)

    def _at_least(self, least: int, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not least <= value < math.inf:
                raise UsageError(f"{name} must be finite and at least {least}, got {value}")

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps or math.ceil(self.images / self.batch)

    @property
    def early_steps(self) -> int:
        """Steps after which the early snapshot is taken; 0: never."""
        return math.ceil(self.early * self.total)
