"""Pictures that were drawn before, measured as samples are."""

from __future__ import annotations

from functools import partial
from time import perf_counter

import torch

from ..data.listing import Listing
from .bench import OnSamples, splits_of
from .features import Detector
from .gathering import Gathering
from .judging import judged
from .numbers import numbers
from .reference import Reference
from .setting import Evaluation, Setting


def measure_listing(
    listing: Listing,
    detector: Detector,
    reference: Reference | None,
    on_samples: OnSamples | None = None,
) -> Evaluation:
    """The numbers of the pictures that lie somewhere; what they show is judged by their classes or captions.

    Raises UsageError for too few of them, and where they cannot be read or compared.
    """
    started = perf_counter()
    said = listing.said or (None,) * len(listing)
    gathering = Gathering(detector, len(listing), splits_of(len(listing)))
    known = {value: i for i, value in enumerate(dict.fromkeys(said))}
    for images in listing.batches():
        told = said[gathering.seen : gathering.seen + len(images)]
        prompt = torch.tensor([known[value] for value in told]) if listing.said else None
        gathering.add(images, prompt, partial(judged, detector, images, told))
        if on_samples is not None:
            on_samples(gathering.seen, len(listing))
    found = numbers(gathering.done(), reference)
    return Evaluation(Setting(), found, len(listing), looking=perf_counter() - started)
