"""Two settings side by side: what is apart in them at the same seeds and prompts, and whether that is anything."""

from __future__ import annotations

from .numbers import HIGHER, LOWER, Number, about, apart
from .setting import Evaluation

UNDECIDED = "undecided"
FEW = 5  # splits, of fewer of which no verdict is taken: two or three are alike by chance
_SAID = {LOWER: ("better", "worse"), HIGHER: ("worse", "better")}  # of less, of more


def differences(a: Evaluation, b: Evaluation) -> dict[str, Number]:
    """a - b of every metric that both have, in pairs of splits."""
    return {name: apart(number, b.numbers[name]) for name, number in a.numbers.items() if name in b.numbers}


def verdict(metric: str, difference: Number) -> str:
    """`better` or `worse`, of metrics with no good side `less` or `more`; `undecided` where 0 is in the interval."""
    less, more = _SAID.get(about(metric).better, ("less", "more"))
    if len(difference.splits) < FEW:
        return UNDECIDED
    if difference.high < 0:
        return less
    return more if difference.low > 0 else UNDECIDED
