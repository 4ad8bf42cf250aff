"""Measure a detector and write what was found into its card: how a shipped detector is made of a run's.

    python -m benchmarks.detectors runs/detector-scenes/model --out src/lodestar/models/scenes
    python -m benchmarks.detectors runs/detector-cifar10/model --data DATA --out src/lodestar/models/cifar10

A row for each precision of the weights, and for scenes of half the detector's size, which it enlarges: the share of
held-out pictures of which every answer is right, with its 95 % interval (Wilson); the share of answers that are; how
far these are from as sure as they should be (expected calibration error: Guo et al. 2017, arXiv:1706.04599, eq. 3, of
15 equal bins); bytes; pictures seen a second. Pictures of a data set are those of its test split. It is written in half
precision, whose rows become the card's.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from lodestar.conditions import LabelSchema
from lodestar.data import Batch, open_source
from lodestar.data.scenes.source import ScenesSource
from lodestar.likelihood import Likelihood
from lodestar.measure.features import ClassifierDetector, look
from lodestar.measure.share import Share
from lodestar.train.classifying import answered

from .machine import machine

BINS = 15
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class Row:
    """What a detector says of pictures whose truth is known."""

    pictures: str
    precision: str  # of the weights as they are stored
    right: Share  # pictures of which every answer is
    answers: Share
    calibration: float  # expected error of the answers' probabilities
    bytes: int  # of the weights
    speed: float  # pictures a second

    def describe(self) -> dict[str, object]:
        """As JSON values, for a card: nothing of the machine."""
        low, high = self.right.interval
        found = {"pictures": self.pictures, "n": self.right.n, "accuracy": round(self.right.share, 4)}
        found |= {"accuracy_95": [round(low, 4), round(high, 4)], "answers": round(self.answers.share, 4)}
        return {**found, "calibration_error": round(self.calibration, 4), "bytes": self.bytes}


def stored(judge: Likelihood, dtype: torch.dtype) -> Likelihood:
    """With its weights as they come back from a file."""
    weights = judge.network.state_dict()
    judge.network.load_state_dict({k: t.to(dtype).to(t) if t.is_floating_point() else t for k, t in weights.items()})
    return judge


def held_out(judge: Likelihood, data: str | None, n: int) -> dict[str, Batch]:
    """n pictures that it was not trained on, of each kind that it is measured on."""
    side = judge.shape[1]
    if data is not None:
        return {f"test, {side} pixels": open_source(data, side).held_out(n)}
    return {f"scenes, {size} pixels": ScenesSource(size).held_out(n) for size in (side, side // 2)}


def measured(judge: Likelihood, held: Batch, batch: int) -> tuple[Tensor, Tensor, Tensor, float]:
    """Of every question [N, Q]: whether it is asked, whether its answer is right, how sure it is; and seconds."""
    asked = judge.network.encode(answered(held, judge.schema))  # type: ignore[operator]
    detector, seconds = ClassifierDetector.of(judge), 0.0
    found: list[Tensor] = []
    for images in held.images.split(batch):
        start = perf_counter()
        log_p = look(detector, images).log_p.values()
        seconds += perf_counter() - start
        found.append(torch.stack([torch.stack([p.max(1).values, p.argmax(1)], 1) for p in log_p], 1))  # [B, Q, 2]
    sure, said = torch.cat(found).unbind(2)
    return asked >= 0, said == asked, sure.exp(), seconds


def calibration_error(right: Tensor, sure: Tensor) -> float:
    """The mean over answers [A] of |share right - mean probability| of their bin."""
    which = (sure.double() * BINS).ceil().clamp(1, BINS).long() - 1
    apart = torch.zeros(BINS, dtype=torch.float64).index_add(0, which, right.double() - sure.double())
    return float(apart.abs().sum() / len(right))


def row(judge: Likelihood, pictures: str, held: Batch, precision: str, batch: int) -> Row:
    asked, right, sure, seconds = measured(judge, held, batch)
    weights = judge.network.state_dict().values()
    return Row(
        pictures,
        precision,
        Share(int((right | ~asked).all(1).sum()), len(held)),
        Share(int(right[asked].sum()), int(asked.sum())),
        calibration_error(right[asked], sure[asked]),
        sum(t.numel() * PRECISIONS[precision].itemsize for t in weights),
        len(held) / seconds,
    )


def rows(judge: Likelihood, data: str | None, n: int, batch: int) -> Iterator[Row]:
    """The last precision's weights stay."""
    held = held_out(judge, data, n)
    for precision, dtype in PRECISIONS.items():
        judge = stored(judge, dtype)
        yield from (row(judge, pictures, batch_, precision, batch) for pictures, batch_ in held.items())


def lines(found: Sequence[Row], single: bool) -> Iterator[str]:
    """The table in Markdown; of a detector with a single question, its answers are its pictures."""
    yield "| pictures | n | weights | bytes | accuracy | answers right | calibration error | pictures a second |"
    yield "| --- | ---: | --- | ---: | --- | ---: | ---: | ---: |"
    for r in found:
        low, high = r.right.interval
        share = f"{r.right.share:.2%} ({low:.2%} to {high:.2%})"
        answers = "" if single else f"{r.answers.share:.2%}"
        measures = f"{share} | {answers} | {r.calibration:.4f} | {r.speed:.0f}"
        yield f"| {r.pictures} | {r.right.n:,} | {r.precision} | {r.bytes:,} | {measures} |"
    yield f"\nOn {', '.join(f'{k} {v}' for k, v in machine().items() if v)}."


def main(args: Sequence[str] | None = None) -> None:
    about = __doc__.splitlines()[0] if __doc__ else None
    parser = ArgumentParser("python -m benchmarks.detectors", description=about)
    parser.add_argument("model", help="folder of a classifier, or the name of a shipped one")
    parser.add_argument("--data", help="a data set with a test split and the classifier's classes; scenes by default")
    parser.add_argument("--out", type=Path, help="folder to write it to, in half precision, with its measured card")
    parser.add_argument("--n", type=int, default=10_000, help="pictures, where there are so many")
    parser.add_argument("--batch", type=int, default=100, help="pictures in one look")
    asked = parser.parse_args(args)
    judge = Likelihood.load(asked.model)
    found = list(rows(judge, asked.data, asked.n, asked.batch))
    print("\n".join(lines(found, isinstance(judge.schema, LabelSchema))))
    if asked.out is not None:
        card = {**judge.card, "measured": [r.describe() for r in found if r.precision == "fp16"]}
        replace(judge, card=card).save(asked.out, torch.float16)


if __name__ == "__main__":
    main()
