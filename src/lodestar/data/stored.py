"""A source whose size is known: step i's batch is a function of (seed, i), and any step can be reached at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..errors import UsageError
from .captions import Caption, each, refuse_sides, spoken
from .images import POLICY
from .order import Order, held_apart, mirrored, spread
from .pictures import Pending, Pictures
from .source import Batch, batch_of, shapes_of

_AHEAD = 3  # batches being decoded while one is used


@dataclass(frozen=True)
class Shelf:
    """Some rows of one split, in order, with all that is said of them."""

    pictures: Pictures
    rows: Tensor  # int64 [M], rows of the split
    captions: Sequence[Caption] | None = None  # of every row of the split
    labels: Tensor | None = None  # int64, of every row of the split
    vectors: Tensor | None = None  # floats [N, D], of every row of the split

    def __len__(self) -> int:
        return len(self.rows)

    def ask(self, places: Tensor) -> Pending:
        """Start reading the items at these places [B] of the shelf."""
        return self.pictures.ask(self.rows[places].tolist())

    def batch(self, places: Tensor, turns: Tensor, pending: Pending) -> Batch:
        """The batch asked for; what cannot be read is replaced by the next item of the shelf that can."""
        ready = self.pictures.at_hand(self.rows[places])
        if ready is not None:
            return self._batch(places, turns, ready)
        pixels = self.pictures.settle(pending)
        for i, image in enumerate(pixels):
            if image is None:
                places[i], pixels[i] = self._next(int(places[i]))
        return self._batch(places, turns, torch.stack([p for p in pixels if p is not None]))

    def first(self, n: int) -> Batch:
        """The first n items that can be read, or as many as there are."""
        found: list[tuple[int, Tensor]] = []
        place = 0
        while len(found) < n and place < len(self):
            places = torch.arange(place, min(place + n - len(found), len(self)))
            pixels = self.pictures.settle(self.ask(places))
            found += [(p, image) for p, image in zip(places.tolist(), pixels, strict=True) if image is not None]
            place += len(places)
        if not found:
            raise UsageError(f"{self.pictures.ledger.name}: no picture to hold out")
        places = torch.tensor([p for p, _ in found])
        return self._batch(places, torch.zeros_like(places), torch.stack([image for _, image in found]))

    def _next(self, place: int) -> tuple[int, Tensor]:
        for step in range(1, len(self)):
            other = (place + step) % len(self)
            [image] = self.pictures.settle(self.ask(torch.tensor([other])))
            if image is not None:
                return other, image
        raise UsageError(f"{self.pictures.ledger.name}: not one picture can be read")

    def _batch(self, places: Tensor, turns: Tensor, images: Tensor) -> Batch:
        rows = self.rows[places]
        told = zip(rows.tolist(), turns.tolist(), strict=True)
        texts = None if self.captions is None else [spoken(self.captions[row], turn) for row, turn in told]
        labels = None if self.labels is None else self.labels[rows]
        return batch_of(images, texts, labels, None if self.vectors is None else self.vectors[rows])


@dataclass(frozen=True)
class Stored:
    """A data set on this machine. `Source` says what the methods do."""

    training: Shelf
    validation: Shelf
    classes: tuple[str, ...] | None
    flip: bool = False
    facts: dict[str, object] = field(default_factory=dict)  # what describe() adds: name, columns, splits

    @property
    def resolution(self) -> int:
        return self.training.pictures.resolution

    @property
    def conditions(self) -> dict[str, tuple[int, ...]]:
        several, vectors = len(self.training.pictures.columns) > 1, self.training.vectors
        return shapes_of(self.resolution, several, None if vectors is None else vectors.shape[1])

    def texts(self, n: int) -> Iterable[str]:
        captions = self.training.captions
        if captions is None:
            return []
        rows = self.training.rows[spread(len(self.training), n)].tolist()
        return (text for row in rows for text in each(captions[row]))

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        order = Order(len(self.training), seed)
        waiting: deque[tuple[Tensor, Tensor, Pending]] = deque()
        step = start
        while True:
            while len(waiting) <= _AHEAD:
                places, epochs = order.batch(step + len(waiting), size)
                waiting.append((places, epochs, self.training.ask(places)))
            batch = self.training.batch(*waiting.popleft())
            self.training.pictures.ledger.tell()
            yield self._flipped(batch, seed, step)
            step += 1

    def held_out(self, n: int) -> Batch:
        batch = self.validation.first(n)
        self.validation.pictures.ledger.tell()
        return batch

    def describe(self) -> dict[str, object]:
        account = self.training.pictures.ledger.describe()
        counts = {"training": len(self.training), "held_out": len(self.validation)}
        kept = "in memory" if self.training.pictures.in_memory else "on disk"
        shape = {"resolution": self.resolution, "policy": POLICY, "flip": self.flip, "pictures": kept}
        shape["classes"] = self.classes and list(self.classes)
        return {"source": "images", **self.facts, **counts, **shape, **account}

    def _flipped(self, batch: Batch, seed: int, step: int) -> Batch:
        if not self.flip:
            return batch
        beside = {name: mirrored(pictures, seed, step) for name, pictures in batch.conditions.items()}  # by equal coins
        return replace(batch, images=mirrored(batch.images, seed, step), conditions=beside)


def stored(
    training: Shelf,
    validation: Shelf | None,
    classes: tuple[str, ...] | None,
    *,
    flip: bool,
    held: int | None,
    facts: dict[str, object],
) -> Stored:
    """A source of these shelves; without a validation split, some rows are taken out of training for good."""
    if flip:
        refuse_sides(training.captions or ())
        if training.vectors is not None:
            raise UsageError("flip does not know what vectors say of left and right: leave flip off")
    if validation is None:
        training, validation = _apart(training, held)
    if training.pictures.small():
        training.pictures.decode_all()
    return Stored(training, validation, classes, flip, facts)


def _apart(shelf: Shelf, held: int | None) -> tuple[Shelf, Shelf]:
    """By default one item in 20, at least 1 and at most 1,000."""
    count = len(shelf)
    held = min(max(count // 20, 1), 1000) if held is None else held
    if not 0 < held < count:
        raise UsageError(f"{shelf.pictures.ledger.name}: {held} of {count} images cannot be held out: add images")
    trained, out = held_apart(count, held)
    return replace(shelf, rows=trained), replace(shelf, rows=out)
