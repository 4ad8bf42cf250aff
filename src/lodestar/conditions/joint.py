"""Several conditions at once, by name: a text and the picture that it is to edit, a class and a smaller picture.

The schema's drop table says which parts training drops together and how often (see `chances.py`). A part that it never
drops, such as the smaller picture that a cascade enlarges, is always on: its null means nothing to the network, so
nothing else drops it either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor

from ..errors import UsageError, unknown
from .chances import Drop, Dropped, DropRamp, most, names
from .condition import Condition, cat, of_kind
from .image import ImageSchema
from .label import LabelSchema
from .text import TextSchema
from .vector import VectorSchema

PartSchema: TypeAlias = LabelSchema | TextSchema | ImageSchema | VectorSchema


@dataclass(frozen=True)
class Joint:
    """One condition of each name a sample. The null is that of all parts but those that are always on."""

    parts: Mapping[str, Condition]  # each [B]
    always: frozenset[str] = frozenset()  # names of the parts that nothing drops

    def __post_init__(self) -> None:
        lengths = {name: len(part) for name, part in self.parts.items()}
        if len(set(lengths.values())) != 1:
            raise UsageError(f"the parts of a joint condition must have as many rows each, got {lengths}")
        _known(self.always, self.parts)

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def __getitem__(self, rows: Tensor | slice) -> Joint:
        return self._with({name: part[rows] for name, part in self.parts.items()})

    @property
    def droppable(self) -> frozenset[str]:
        """The parts that are not always on."""
        return frozenset(self.parts) - self.always

    @property
    def present(self) -> Tensor:
        """bool [B]: the rows that have more than what is always on."""
        some = [self.parts[name].present for name in sorted(self.droppable)]
        return torch.stack(some).any(0) if some else torch.zeros(len(self), dtype=torch.bool)

    def without(self, mask: Dropped) -> Joint:
        """The null in the masked rows: of all parts that can be dropped, or by name of those that are given."""
        masks = mask if isinstance(mask, dict) else dict.fromkeys(self.droppable, mask)
        self.dropping(masks)
        return self._with({k: part.without(masks[k]) if k in masks else part for k, part in self.parts.items()})

    def null(self, keep: Collection[str] = ()) -> Joint:
        """The null in every row, of all parts but those to keep and those that are always on."""
        gone = self.droppable - _known(keep, self.parts)
        return self._with({k: part.null() if k in gone else part for k, part in self.parts.items()})

    def dropping(self, drop: bool | Collection[str]) -> frozenset[str]:
        """The parts that this drops. Raises UsageError for a part that is not there or that is always on."""
        if isinstance(drop, bool):
            return self.droppable if drop else frozenset()
        if always := _known(drop, self.parts) & self.always:
            raise UsageError(f"part '{min(always)}' of the condition is always on: nothing can drop it")
        return frozenset(drop)

    def taking(self, other: Joint, drop: Collection[str] | None = None) -> Joint:
        """The parts of another condition, all that it has or these of them, in the place of one's own."""
        asked = _known(other.parts, self.parts) if drop is None else _known(drop, other.parts)
        taken = {name: other.parts[name] for name in asked}
        for name, part in taken.items():
            cat([self.parts[name], part])  # of one schema, or else it raises
        return self._with({**self.parts, **taken})

    def to(self, device: torch.device | str) -> Joint:
        return self._with({name: part.to(device) for name, part in self.parts.items()})

    @classmethod
    def cat(cls, parts: Sequence[Joint]) -> Joint:
        first = parts[0]
        if any((p.parts.keys(), p.always) != (first.parts.keys(), first.always) for p in parts):
            kinds = sorted({", ".join(sorted(p.parts)) for p in parts})
            raise UsageError(f"joint conditions of different schemas do not stack: their parts are {kinds}")
        return first._with({name: cat([p.parts[name] for p in parts]) for name in first.parts})

    def _with(self, parts: Mapping[str, Condition]) -> Joint:
        return Joint(parts, self.always)


@dataclass(frozen=True)
class JointSchema:
    """Several conditions by name, and how often training drops which of them together.

    Of `drop`, a number is the probability of dropping all parts at once; a table such as {"text": 0.05, "image": 0.05,
    "text+image": 0.05} says it by parts. It alone decides, so the parts' own probabilities are set to 0.
    """

    parts: Mapping[str, PartSchema]
    drop: Mapping[str, Drop] | Drop = 0.1  # probability
    kind: ClassVar = "joint"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", {name: _part(name, part) for name, part in self.parts.items()})
        table = {"+".join(self.parts): self.drop} if isinstance(self.drop, float | int | DropRamp) else dict(self.drop)
        object.__setattr__(self, "drop", table)
        self._check()

    def __hash__(self) -> int:
        return hash((frozenset(self.parts.items()), frozenset(self.table.items())))

    @property
    def table(self) -> Mapping[str, Drop]:
        """The probability of each entry."""
        return self.drop  # type: ignore[return-value]  # since it was made

    @property
    def dropped(self) -> frozenset[frozenset[str]]:
        """The parts that training has dropped, as it dropped them together."""
        return frozenset(names(entry) for entry, p in self.table.items() if most(p) > 0)

    @property
    def always(self) -> frozenset[str]:
        """The parts that are never dropped."""
        return frozenset(self.parts).difference(*self.dropped)

    def join(self, parts: Mapping[str, Condition]) -> Joint:
        """Conditions of the parts' own schemas as one."""
        return Joint({name: parts[name] for name in self.parts}, self.always)

    def encode(self, values: Sequence[object]) -> Joint:
        """What is asked of each part by name, to a condition [B]; a part that is not there, or None, is the null.

        Raises UsageError for an unknown part, and where one that is always on is not given.
        """
        rows = [self._row(value) for value in values]
        return self.join({k: part.encode([row.get(k) for row in rows]) for k, part in self.parts.items()})

    def encode_some(self, value: object) -> Joint:
        """The parts that one value names, and no others, to a condition [1]: what may take their place in another's."""
        named = {k: v for k, v in self._named(value).items() if v is not None}
        if not named:
            raise UsageError(f"say at least one part ({', '.join(self.parts)}), got {value!r}")
        return Joint({name: self.parts[name].encode([v]) for name, v in named.items()})

    def check(self, condition: object) -> None:
        """Raise UsageError if a condition is not of this schema."""
        joint = of_kind(condition, Joint)
        wanted, got = (sorted(self.parts), sorted(self.always)), (sorted(joint.parts), sorted(joint.always))
        if wanted != got:
            raise UsageError(f"this model is conditioned on (parts, those always on) {wanted}, got {got}")
        for name, part in self.parts.items():
            part.check(joint.parts[name])

    def _row(self, value: object) -> Mapping[str, object]:
        row = self._named({} if value is None else value)
        if lacking := [name for name in sorted(self.always) if row.get(name) is None]:
            raise UsageError(f"part '{lacking[0]}' of the condition is always on: every prompt needs one")
        return row

    def _named(self, row: object) -> Mapping[str, object]:
        if not isinstance(row, Mapping):
            got = shorten(repr(row), 60)  # in one line, whatever it is
            raise UsageError(f"a prompt of this model says which part is what ({', '.join(self.parts)}), got {got}")
        _known(row, self.parts)
        return row

    def _check(self) -> None:
        entries = [names(entry) for entry in self.table]
        _known(frozenset().union(*entries), self.parts)
        if not self.parts or len(set(entries)) != len(entries):
            raise UsageError("a joint schema needs at least one part, and every set of parts in its drop table once")
        if len({part.tokenizer for part in self.parts.values() if isinstance(part, TextSchema)}) > 1:
            raise UsageError("the texts of a joint schema must share one tokenizer: train it on the captions of all")
        most(self.table)


def _part(name: str, part: PartSchema) -> PartSchema:
    if not isinstance(part, PartSchema) or not name or "+" in name:
        raise UsageError(f"a part is a label, text, image or vector, named without a '+', got '{name}': {part!r}")
    return replace(part, drop=0.0)


def _known(asked: Collection[str], parts: Collection[str]) -> frozenset[str]:
    """The names asked, all of which must be among the parts."""
    for name in asked:
        if name not in parts:
            raise unknown("part", str(name), parts)
    return frozenset(asked)
