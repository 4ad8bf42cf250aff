"""How a data set is to be read: the user's choices, each with a default that fits an ordinary image folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError


@dataclass(frozen=True)
class Reading:
    """Choices for open_source."""

    split: str | None = None  # the one to train on; by default train
    subset: str | None = None  # of a Hub data set that has several
    image_column: str | None = None  # by default the one that holds images
    caption_column: str | None = None  # by default text, caption, ..., or the only column of text
    label_column: str | None = None  # by default label, class, ..., or the first column of declared classes
    before_column: str | None = None  # pictures that the model is given beside, as before an edit: the condition image
    vector_column: str | None = None  # lists of as many numbers each, which it is given: the condition vector
    streaming: bool = False  # read as a stream, for what is too large to store
    flip: bool = False  # mirror half of the pictures; refused where captions tell left from right
    held: int | None = None  # images to hold out where no split is for that; by default 5 %, at most 1,000
    memory: int = 1 << 30  # bytes of decoded pictures to keep
    workers: int | None = None  # decoding threads; by default one a core, at most 8
    buffer: int = 1000  # images of a stream among which the next one is drawn
    cache: Path | None = None  # where `datasets` keeps what it makes; by default its own cache, never the data's folder

    def __post_init__(self) -> None:
        for name, least in (("held", 1), ("workers", 1), ("buffer", 1), ("memory", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} must be at least {least}, got {value}")

    @property
    def threads(self) -> int:
        """Decoding threads."""
        return self.workers or min(os.cpu_count() or 1, 8)
