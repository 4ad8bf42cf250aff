"""What is compared: one way to sample a model, and the numbers that its pictures gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from ..errors import UsageError
from .numbers import Number


@dataclass(frozen=True)
class Setting:
    """How a model is sampled; what is None is the model's own default."""

    guidance: str | None = None  # a rule, as "cfg(3)"
    sampler: str | None = None
    steps: int | None = None
    grid: str | None = None

    @property
    def key(self) -> str:
        """One text for each setting, by which a finished one is known again."""
        return " | ".join(f"{name} {value}" for name, value in asdict(self).items() if value is not None) or "default"


@dataclass(frozen=True)
class Evaluation:
    """What the pictures of one setting gave."""

    setting: Setting
    numbers: Mapping[str, Number]  # by the name of the metric, without that of its detector
    samples: int
    evaluations: float = 0.0  # network rows forward per picture
    backwards: float = 0.0  # rows back through a network per picture
    gradients: float = 0.0  # calls of other functions per picture
    seconds: float = 0.0  # of sampling
    looking: float = 0.0  # seconds of everything else: detector, metrics
    facts: Mapping[str, Any] = field(default_factory=dict)  # what whoever asked wants to keep: JSON values

    def __getitem__(self, metric: str) -> Number:
        """Raises UsageError for a metric that was not measured, with those that were."""
        if metric not in self.numbers:
            raise UsageError(f"'{metric}' was not measured: there are {', '.join(self.numbers)}")
        return self.numbers[metric]

    def to_json(self) -> dict[str, Any]:
        numbers = {name: number.to_json() for name, number in self.numbers.items()}
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**own, "setting": asdict(self.setting), "numbers": numbers, "facts": dict(self.facts)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        numbers = {name: Number.from_json(number) for name, number in data["numbers"].items()}
        return cls(**{**data, "setting": Setting(**data["setting"]), "numbers": numbers})


Measures: TypeAlias = Callable[..., Evaluation]  # (setting, n, on_samples=...): a Bench, or one like it
