"""What a caption of scenes says, as answers to a fixed list of questions: what a classifier of scenes is asked.

    objects       how many there are
    2 of 3        colour and shape of the second of three, in reading order, as "red circle"
    size 2 of 3   small or large
    place         of an only object
    relation      above or left of: how the first object in reading order lies to the second, where one axis dominates
    background

Together they are all that a caption can say, and the exact reader can tell each of them. What an object is, is asked
apart for each number of objects, so that p(objects) p(1 of 1 | x, one object) is p(the caption | x) itself for captions
that say no more than "a red circle". With more said, the answers are taken to be independent, given x.
"""

from __future__ import annotations

from ...conditions import JointSchema, LabelSchema
from .captions import PLACES, turned
from .reader import meaning
from .world import BACKGROUNDS, COLOURS, MOST, SHAPES

_ORDER = [(n, k) for n in range(1, MOST + 1) for k in range(1, n + 1)]
_BEHIND = ("below", "right of")  # the thing named first comes second in reading order

QUESTIONS: dict[str, tuple[str, ...]] = {
    "objects": tuple(str(n) for n in range(1, MOST + 1)),
    **{f"{k} of {n}": tuple(f"{c} {s}" for c in COLOURS for s in SHAPES) for n, k in _ORDER},
    **{f"size {k} of {n}": ("small", "large") for n, k in _ORDER},
    "place": tuple(PLACES),
    "relation": ("above", "left of"),
    "background": tuple(BACKGROUNDS),
}
SCHEMA = JointSchema({name: LabelSchema(answers) for name, answers in QUESTIONS.items()})


def answers(caption: str) -> dict[str, str]:
    """What a caption answers, by question. Raises UsageError for one of another world."""
    claim = meaning(caption)
    claim = turned(claim) if claim.relation in _BEHIND else claim
    n = len(claim.things)
    things = {f"{k} of {n}": f"{thing.colour} {thing.shape}" for k, thing in enumerate(claim.things, 1)}
    sizes = {f"size {k} of {n}": thing.size for k, thing in enumerate(claim.things, 1)}
    rest = {"place": claim.place, "relation": claim.relation, "background": claim.background}
    return {name: said for name, said in {"objects": str(n), **things, **sizes, **rest}.items() if said is not None}
