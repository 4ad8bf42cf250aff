"""What the rules that read other conditions by name have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ....errors import UsageError
from ...fields import Number, settle
from ...rule import Wrapper


@dataclass(frozen=True)
class Named(Wrapper):
    """A rule around a rule that reads the condition of this name."""

    name: str = "other"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("name", self.name)

    @property
    def key(self) -> str:
        """What it calls the prediction under that condition."""
        return key(self.name)


@dataclass(frozen=True)
class Weighed(Named):
    """One that adds what that condition says, by its weight: at 0 the inner rule, exactly."""

    weight: Number = 4.0  # ours, the scale of cfg
    neutral: ClassVar = {"weight": 0.0}

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, "weight")


def key(name: str) -> str:
    """What the prediction under the condition of this name is called, whichever rule asks for it."""
    return f"named {name}"


def check_name(field: str, name: object) -> None:
    """Raise UsageError unless this can be the name of a condition."""
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f'{field} must be the name of a condition, such as "other", got {name!r}')


def settle_names(rule: object, field: str) -> None:
    """Check that the field has the name of a condition or several, each once, and store them as a tuple."""
    value = getattr(rule, field)
    names = tuple(value) if isinstance(value, list | tuple) else (value,)
    for name in names:
        check_name(field, name)
    if not names or len(set(names)) < len(names):
        raise UsageError(f"{field} must be the names of conditions, each once, got {list(names)}")
    object.__setattr__(rule, field, names)  # the dataclass is frozen, and this is still its birth
