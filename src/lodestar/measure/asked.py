"""Which pictures are drawn to measure a model: of each its prompt and its seed, the same for every setting.

So two settings are compared in pairs: sample i of both starts from the same noise and is asked the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from ..conditions import JointSchema, LabelSchema, Schema, TextSchema, Value
from ..core import generator
from ..data import Source
from ..data.scenes.source import ScenesSource
from ..data.scenes.source import prompts as test_prompts
from ..data.scenes.triples import EditsSource
from ..errors import UsageError
from ..pictures import from_uint8

Labels = Literal["balanced", "drawn"]
_LABELS = 0x6C61626C  # keeps these draws apart from all others of the same seed
_TOGETHER = 64  # captions


@dataclass(frozen=True)
class Asked:
    """n = len(prompts) x each samples; those of one prompt are neighbours."""

    prompts: tuple[Value, ...]
    policy: str  # how the prompts were chosen
    seed: int = 0  # of the first sample; the next one's is one more
    each: int = 1  # samples of a prompt

    def __len__(self) -> int:
        return len(self.prompts) * self.each

    @property
    def digest(self) -> str:
        """Of the prompts: the first 16 hexadecimal digits of their SHA-256."""
        return sha256(repr(tuple(map(_plain, self.prompts))).encode()).hexdigest()[:16]

    def first(self, n: int) -> Asked:
        """The first n samples, or as many more as the last prompt has. Raises UsageError for more than there are."""
        if not 0 < n <= len(self):
            raise UsageError(f"there are {len(self)} samples to draw, so at most so many can be measured, got {n}")
        return replace(self, prompts=self.prompts[: -(-n // self.each)])

    def parts(self, size: int, begin: int = 0) -> Iterator[tuple[list[Value], list[int]]]:
        """Prompts, and the seed of each one's first sample, about `size` samples at a time, from this prompt on."""
        step = max(1, size // self.each)
        for at in range(begin, len(self.prompts), step):
            prompts = list(self.prompts[at : at + step])
            yield prompts, [self.seed + (at + i) * self.each for i in range(len(prompts))]


def _plain(prompt: object) -> object:
    """With all of each picture, of which a tensor shows its corners."""
    if isinstance(prompt, Mapping):
        return {name: _plain(part) for name, part in prompt.items()}
    return sha256(prompt.numpy(force=True).tobytes()).hexdigest() if isinstance(prompt, Tensor) else prompt


def asked(
    schema: Schema,
    source: Source | None,
    n: int,
    *,
    each: int = 1,
    seed: int = 0,
    labels: Labels = "balanced",
    prompts: Sequence[Value] | None = None,
) -> Asked:
    """n samples, `each` of them of a prompt, such as a model of this schema takes.

    `prompts` are used in turn where they are given. Else classes come in equal numbers or are drawn at random, and
    texts are those of the data: of scenes test prompts, of edits test triples, else captions of training pictures.
    Another seed gives other noise and other prompts. Raises UsageError where there are no texts, and for models that
    are told several things otherwise.
    """
    if min(n, each) < 1 or n % each:
        raise UsageError(f"samples must be a whole number of prompts, each with {each}, got {n}")
    if labels != "balanced" and (prompts or not isinstance(schema, LabelSchema)):
        raise UsageError(f"labels are {labels} for a model of classes that is given no prompts: leave --labels out")
    count = n // each
    chosen, policy = _given(prompts, count) if prompts else _chosen(schema, source, count, seed, labels)
    return Asked(tuple(chosen), policy, seed, each)


def _given(prompts: Sequence[Value], count: int) -> tuple[list[Value], str]:
    return [prompts[i % len(prompts)] for i in range(count)], f"{len(prompts)} prompts, in turn"


def _chosen(
    schema: Schema, source: Source | None, count: int, seed: int, labels: Labels
) -> tuple[Sequence[Value], str]:
    if isinstance(schema, JointSchema) and isinstance(source, EditsSource) and set(schema.parts) == {"text", "image"}:
        return _edits(source, count, seed)
    if isinstance(schema, JointSchema):
        raise UsageError(
            f"a model that is told {' and '.join(schema.parts)} cannot be asked by one prompt: give prompts"
        )
    if isinstance(schema, LabelSchema):
        return [schema.classes[i] for i in _classes(len(schema.classes), count, seed, labels)], f"classes {labels}"
    if isinstance(schema, TextSchema):
        return _texts(source, count, seed)
    if schema is None:
        return [None] * count, "no prompt"
    raise UsageError(f"a model that is told a {schema.kind} cannot be asked by itself: give prompts")


def _classes(k: int, count: int, seed: int, labels: Labels) -> list[int]:
    if labels == "balanced":
        return [i % k for i in range(count)]
    return torch.randint(k, (count,), generator=generator(seed, _LABELS)).tolist()


def _edits(source: EditsSource, count: int, seed: int) -> tuple[Sequence[Value], str]:
    """Instructions, each with the picture that it is about."""
    batch = source.tests(count, seed)
    told = zip(batch.texts or (), from_uint8(batch.conditions["image"]), strict=True)
    return [{"text": text, "image": before} for text, before in told], "test triples of scenes"


def _texts(source: Source | None, count: int, seed: int) -> tuple[Sequence[Value], str]:
    if isinstance(source, ScenesSource):
        return test_prompts(count, start=seed), "test prompts of scenes"
    found = list(islice(_captions(source, seed), count)) if source is not None else []
    if len(found) < count:
        raise UsageError("the reference has no captions to ask for: give prompts (--prompts FILE)")
    return found, "captions of training pictures, drawn"


def _captions(source: Source, seed: int) -> Iterator[str]:
    for batch in source.batches(_TOGETHER, seed):
        if batch.texts is None:
            return
        yield from (text for text in batch.texts if text)
