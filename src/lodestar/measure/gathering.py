"""What a detector saw of a stream of pictures, in flat memory: moments of all, features of the first KEEP.

Pictures come and go in batches, and the result does not depend on the batches. They are cut into splits, each of whole
prompts and with moments of its own, whose sum is that of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import torch
from torch import Tensor

from ..errors import UsageError
from .features import Detector, Seen, look
from .metrics import Moments, Running, clipped, saturation

Judge = Callable[[Seen], Mapping[str, Tensor]]  # numbers of each picture [B], by their names
BLOCK = 1000  # rows that wait to be counted in a split's moments: there are several splits
KEEP = 10_000  # rows: what distances between all pairs are computed of


@dataclass(frozen=True, eq=False)
class Gathered:
    """N pictures as they were seen; the first K of them with their features."""

    size: tuple[int, int]  # H, W
    parts: tuple[Moments, ...]  # of each split
    features: Tensor  # [K, D]
    log_p: Mapping[str, Tensor]  # question -> [K, classes]
    each: Mapping[str, Tensor]  # a number of every picture, float64 [N], by its name
    prompt: Tensor  # int64 [N]: the number of its prompt
    split: Tensor  # int64 [N], ascending: the part that it belongs to
    together: int = 1  # neighbours of one prompt

    def __len__(self) -> int:
        return len(self.prompt)

    @cached_property
    def moments(self) -> Moments:
        return reduce(Moments.merge, self.parts)

    def without(self) -> Iterator[Moments]:
        """Of all splits but one, for each in turn; none where there is one split alone."""
        for i in range(len(self.parts)) if len(self.parts) > 1 else ():
            yield reduce(Moments.merge, self.parts[:i] + self.parts[i + 1 :])

    def rows(self, split: int) -> slice:
        """Those of a split."""
        first, end = torch.searchsorted(self.split, torch.tensor([split, split + 1])).tolist()
        return slice(first, end)

    def kept(self, split: int) -> slice:
        """Those of a split among the rows with features; where not all have some, as large a part of those."""
        kept, parts = len(self.features), len(self.parts)
        return self.rows(split) if kept == len(self) else slice(kept * split // parts, kept * (split + 1) // parts)


@dataclass
class Gathering:
    """Fills one. `n` pictures are to come, in order, those of a prompt as neighbours, `together` of each."""

    detector: Detector
    n: int
    splits: int = 10
    together: int = 1
    keep: int = KEEP
    seen: int = 0
    _size: tuple[int, int] | None = None
    _moments: list[Running] = field(default_factory=list)
    _features: list[Tensor] = field(default_factory=list)
    _log_p: list[Mapping[str, Tensor]] = field(default_factory=list)
    _each: list[Mapping[str, Tensor]] = field(default_factory=list)
    _prompt: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._moments = [Running(self.detector.dim, BLOCK) for _ in range(self.splits)]

    def add(self, images: Tensor, prompt: Tensor | None = None, judge: Judge | None = None) -> None:
        """More pictures uint8 [B, C, H, W], the numbers of their prompts [B], and who says other numbers of each [B].

        Raises UsageError for pictures of another size than before, and for more than were to come.
        """
        self._check(images)
        seen = look(self.detector, images)
        number = torch.arange(self.seen, self.seen + len(images))
        split = self._split(number)
        for part in split.unique().tolist():
            self._moments[part].add(seen.features[split == part])
        colours = {"saturation": saturation(images), "clipped": clipped(images)} if images.shape[1] == 3 else {}
        said = {} if judge is None else judge(seen)
        self._each.append({**colours, **{name: values.double().cpu() for name, values in said.items()}})
        self._prompt.append(number if prompt is None else prompt)
        self._keep(seen)
        self.seen += len(images)

    def done(self) -> Gathered:
        """Raises UsageError where fewer came than were to come."""
        if self.seen != self.n or self._size is None:
            raise UsageError(f"{self.n} pictures were to come, and {self.seen} came")
        parts = tuple(running.moments() for running in self._moments)
        features, log_p = torch.cat(self._features), _joined(self._log_p)
        each, prompt = _joined(self._each), torch.cat(self._prompt)
        split = self._split(torch.arange(self.n))
        return Gathered(self._size, parts, features, log_p, each, prompt, split, self.together)

    def so_far(self, splits: int) -> Gathered:
        """Those that came until now, as if no more were to come: all of them, or the first few in so many splits.

        Raises UsageError where those few are more than those whose features are kept.
        """
        if self.seen == self.n:
            return self.done()
        if not 0 < self.seen <= self.keep:
            raise UsageError(f"of {self.seen} pictures no first part can be told: give from 1 to {self.keep}")
        part = replace(self, n=self.seen, splits=splits)  # with moments of its own
        features, split = torch.cat(self._features), part._split(torch.arange(self.seen))
        for number in split.unique().tolist():
            part._moments[number].add(features[split == number])
        return part.done()

    def _split(self, number: Tensor) -> Tensor:
        """int64 [B]: of which split the samples with these numbers are."""
        return number // self.together * self.splits // -(-self.n // self.together)

    def _check(self, images: Tensor) -> None:
        size = (images.shape[-2], images.shape[-1])
        self._size = self._size or size
        if size != self._size:
            both = " and ".join(f"{w}x{h}" for h, w in (self._size, size))
            raise UsageError(f"pictures of several sizes cannot be measured together: {both}; bring them to one first")
        if self.seen + len(images) > self.n:
            raise UsageError(f"{self.n} pictures were to come, and there are more")

    def _keep(self, seen: Seen) -> None:
        left = max(0, self.keep - self.seen)
        if left:
            self._features.append(seen.features[:left].float().cpu())
            self._log_p.append({name: values[:left].float().cpu() for name, values in seen.log_p.items()})


def _joined(parts: list[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """What all parts have."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0] if all(name in part for part in parts)}
