"""Classifier guidance: is its gain real, or does it only fool its own classifier?

    python -m benchmarks.classifiers --classifiers runs/classifiers

Classifiers of three sizes, noise-aware and clean, push the shipped scenes-32 model at several strengths, from its null
and on top of its conditional; classifier-free guidance stands beside them, in as many steps as theirs and in as many as
take the same time. From the null prompts have one object, for of these a noise-aware classifier's density is
p(prompt | x) itself; the conditional draws nearly all of them as it is, so on top of it prompts have two and three.

Who says that a picture shows its prompt: the exact reader (the truth), an independent detector (a clean classifier of
another architecture, trained with another seed) and the classifier that pushed. What the last says and the reader does
not is what was fooled. Diversity is the mean distance (root mean square over pixels in [-1, 1]) of two pictures of one
prompt. Classifiers that are not in the folder yet are trained there first, seven of them on 60,000 images each.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from shlex import join
from typing import Any

import torch
from torch import Tensor

from lodestar import gradients
from lodestar.core import Level
from lodestar.data.scenes.answers import answers
from lodestar.data.scenes.render import render
from lodestar.data.scenes.source import ScenesSource
from lodestar.data.scenes.source import prompts as test_prompts
from lodestar.data.scenes.world import COLOURS, HELD_OUT, SHAPES, draw
from lodestar.likelihood import Likelihood
from lodestar.measure.prompts import prompt_truth
from lodestar.model import Model, load
from lodestar.networks.classifier import ClassifierConfig
from lodestar.networks.clip import ClipConfig
from lodestar.pictures import from_uint8
from lodestar.train import LikelihoodPreset, sized, train
from lodestar.train.likelihoods import CLASSIFIER_SCENES, DETECTOR_SCENES

from .classifiers_page import ALONE, AWARE, BASES, CFG, CLEAN, THROUGH, TRUE, Row, answer, figure, markdown, table
from .machine import machine


@dataclass(frozen=True)
class Study:
    """How much is done."""

    sizes: Sequence[str] = ("small", "medium", "large")
    through: Sequence[str] = ("medium",)  # sizes whose clean classifier is also pulled back through the denoiser
    from_null: Sequence[float] = (2.0, 4.0, 8.0, 16.0)  # strengths
    from_conditional: Sequence[float] = (1.0, 2.0, 4.0, 8.0)
    scales: Sequence[float] = (2.0, 4.0, 8.0)  # of cfg
    prompts: int = 32  # of each kind; with one object as many as there are combinations that training shows
    n: int = 4  # pictures of each prompt
    steps: int = 20
    batch: int = 64  # pictures in one pass
    images: int = 60_000  # that each classifier is trained on
    held: int = 512  # scenes that the classifiers are measured on


QUICK = Study(("small",), ("small",), (8.0,), (2.0,), (2.0,), 2, 2, 2, 4, 128, 16)


def preset(network: ClassifierConfig | ClipConfig, name: str, study: Study, seed: int) -> LikelihoodPreset:
    """classifier-scenes with another network, so long."""
    config = CLASSIFIER_SCENES.train
    config = replace(config, images=study.images, seed=seed, validate_images=study.held, sample_every=0)
    return replace(CLASSIFIER_SCENES, name=name, network=network, train=config)


def classifiers(study: Study) -> dict[str, LikelihoodPreset]:
    """Everything that is trained, by the name of its folder."""
    found = {}
    for size in study.sizes:
        network = sized(CLASSIFIER_SCENES.network, size)
        for kind, clean in ((AWARE, False), (CLEAN, True)):
            name = f"{kind}-{size}"
            found[name] = preset(ClassifierConfig(replace(network.image, clean=clean)), name, study, seed=0)
    return {**found, "detector": preset(DETECTOR_SCENES.network, "detector", study, seed=1)}


def trained(chosen: LikelihoodPreset, folder: Path) -> Likelihood:
    """The classifier in a folder, which is trained there first, or trained on, where it is not finished."""
    out = folder / chosen.name
    train(chosen, ScenesSource(chosen.resolution), out, resume=(out / "config.json").is_file(), device="cpu")
    return Likelihood.load(out / "model")


def prompts(base: str, n: int) -> list[str]:
    """What is asked of the model from this base: n prompts of one object, or of several, as training shows them."""
    if base == "null":
        return [f"a {c} {s}" for s in SHAPES for c in COLOURS if (c, s) not in HELD_OUT][:n]
    return [prompt for prompt in test_prompts(4 * n) if answers(prompt)["objects"] != "1"][:n]


def scenes(prompt: str, n: int) -> Tensor:
    """n true pictures uint8 [n, H, W, 3] of a prompt of one object: what the model was trained towards."""
    _, colour, shape = prompt.split()
    drawn = draw(torch.arange(4000 * n).numpy())
    same = (drawn.colour[:, 0] == list(COLOURS).index(colour)) & (drawn.shape[:, 0] == SHAPES.index(shape))
    index = drawn.index[same & (drawn.count == 1)][:n]
    return torch.from_numpy(render(draw(index), 32)).permute(0, 2, 3, 1)


@torch.inference_mode()
def accepts(judge: Likelihood, images: Tensor, asked: Sequence[str]) -> Tensor:
    """Whether what a classifier finds likeliest in images uint8 [B, H, W, 3] is all that the prompts say: bool [B]."""
    x, one, zero = from_uint8(images.permute(0, 3, 1, 2)), torch.ones(()).double(), torch.zeros(()).double()
    answers = judge.network.encode(judge.condition(list(asked)))  # type: ignore[operator]
    _, right = judge.network.log_p(x, Level(one, zero, zero, zero), answers)  # type: ignore[operator]
    return (right | (answers < 0)).all(1)


def share(judge: Likelihood, images: Tensor, asked: Sequence[str]) -> float:
    return float(accepts(judge, images, asked).float().mean())


def diversity(images: Tensor, n: int) -> float:
    """The mean distance of two of the n pictures of one prompt; images uint8 [P n, H, W, 3], those of one beside."""
    pictures = from_uint8(images).flatten(1).split(n)
    pairs = [(a - b).square().mean().sqrt() for group in pictures for a, b in combinations(group, 2)]
    return float(torch.stack(pairs).mean())


@dataclass(frozen=True)
class Bench:
    """The model, who judges it, and how much is done."""

    model: Model
    detector: Likelihood
    study: Study
    base: str  # null or conditional

    @property
    def asked(self) -> list[str]:
        return prompts(self.base, self.study.prompts)

    def true(self) -> Row:
        images = torch.cat([scenes(prompt, self.study.n) for prompt in self.asked])
        return self._judged(Row(self.base, TRUE, "", 0.0, 0), images)

    def alone(self) -> Row:
        return self._sampled(Row(self.base, ALONE, "", 0.0, self.study.steps), BASES[self.base])

    def cfg(self, scale: float, steps: int, kind: str = CFG) -> Row:
        return self._sampled(Row(self.base, kind, "", scale, steps), f"cfg({scale})")

    def pushed(self, kind: str, size: str, judge: Likelihood, strength: float) -> Row:
        """The model pushed by this classifier."""
        row, base = Row(self.base, kind, size, strength, self.study.steps), BASES[self.base]
        if kind != THROUGH:
            return self._sampled(row, f"classifier({base}, strength={strength})", judge, {"classifier": judge})
        less = {"clean": gradients.minus(judge.of_prompts(self.model.schema))}
        return self._sampled(row, f'energy({base}, "clean", strength={strength})', judge, less)

    def _sampled(
        self, row: Row, rule: str, judge: Likelihood | None = None, given: Mapping[str, Any] | None = None
    ) -> Row:
        result = self.model.sample(
            self.asked, n=self.study.n, guidance=rule, steps=row.steps, batch=self.study.batch, gradients=given
        )
        seconds = result.seconds / len(result.images)
        return replace(self._judged(row, result.images, judge), tally=result.tally, seconds=seconds)

    def _judged(self, row: Row, images: Tensor, judge: Likelihood | None = None) -> Row:
        asked = [prompt for prompt in self.asked for _ in range(self.study.n)]
        return replace(
            row,
            right=sum(wrong is None for wrong in prompt_truth(images, asked)),
            pictures=len(images),
            detector=share(self.detector, images, asked),
            own=None if judge is None else share(judge, images, asked),
            diversity=diversity(images, self.study.n),
        )


def rows(bench: Bench, judges: Mapping[str, Likelihood]) -> Iterator[Row]:
    """What is compared from one base: the model alone, with cfg, and with all classifiers, with cfg in their time."""
    study, alone = bench.study, bench.alone()
    if bench.base == "null":
        yield bench.true()
    yield alone
    yield from (bench.cfg(scale, study.steps) for scale in study.scales)
    for size in study.sizes:
        taken = list(_pushed(bench, size, judges))
        yield from taken
        steps = in_time(taken, alone, study.steps)
        yield from (bench.cfg(scale, steps, f"{CFG} in the time of {AWARE}, {size}") for scale in study.scales)


def _pushed(bench: Bench, size: str, judges: Mapping[str, Likelihood]) -> Iterator[Row]:
    """By the classifiers of one size."""
    strengths = bench.study.from_null if bench.base == "null" else bench.study.from_conditional
    for kind in (AWARE, CLEAN, THROUGH) if size in bench.study.through else (AWARE, CLEAN):
        judge = judges[f"{AWARE if kind == AWARE else CLEAN}-{size}"]
        yield from (bench.pushed(kind, size, judge, strength) for strength in strengths)


def in_time(taken: Sequence[Row], alone: Row, steps: int) -> int:
    """The steps of cfg, two rows of the network each, that take as long as those of a noise-aware classifier."""
    seconds = [row.seconds for row in taken if row.kind == AWARE]
    return max(1, round(steps * sum(seconds) / len(seconds) / (2 * alone.seconds)))


def told(name: str, judge: Likelihood, held: int) -> dict[str, str]:
    """What there is to say of a classifier, the share of true scenes included of which it gets all that is said."""
    true, recipe = ScenesSource(32).held_out(held), judge.card["recipe"]
    right = share(judge, true.images.permute(0, 2, 3, 1), true.texts or [])
    parameters = sum(p.numel() for p in judge.network.parameters())
    seen = {"images": f"{recipe['images']:,}", "seconds of training": f"{recipe['seconds']:.0f}"}
    return {"classifier": name, "parameters": f"{parameters:,}", **seen, "true scenes, all right": f"{right:.1%}"}


def lines(
    found: Sequence[Row], judges: Sequence[Mapping[str, str]], study: Study, args: Sequence[str]
) -> Iterator[str]:
    """The page; args are those of the command that made it."""
    yield "# Classifier guidance: is the gain real?\n"
    if study == QUICK:
        yield "**Not a result: a quick run, which shows that the study works; its numbers mean nothing.**\n"
    command, where = join(["python", "-m", "benchmarks.classifiers", *args]), machine()
    yield f"Made by `{command}` on {', '.join(f'{k} {v}' for k, v in where.items() if v)}.\n"
    yield f"{study.prompts} prompts from either base, {study.n} pictures of each, the same seeds in every row.\n"
    yield from markdown(list(judges[0]), [list(judge.values()) for judge in judges], 1)
    yield "\n## Each classifier at its best strength\n"
    yield from answer(found)
    yield "\nFooled: what the classifier accepts and the reader does not, net. The best strength is the one at which"
    yield "the reader accepts most of these very pictures, which flatters it; all strengths are below.\n\n## All\n"
    yield from table(found)
    yield "\nCosts are of one picture: network rows forward and back, classifier rows forward and back, seconds."
    yield "\n![who accepts at which strength](classifiers.png)"


def study_of(model: Model, folder: Path, study: Study) -> tuple[list[Row], list[dict[str, str]]]:
    """All rows, and what there is to say of the classifiers."""
    judges = {name: trained(chosen, folder) for name, chosen in classifiers(study).items()}
    known = [told(name, judge, study.held) for name, judge in judges.items()]
    benches = [Bench(model, judges["detector"], study, base) for base in BASES]
    return [row for bench in benches for row in rows(bench, judges)], known


def main(args: Sequence[str] | None = None) -> None:
    about = __doc__.splitlines()[0] if __doc__ else None
    parser = ArgumentParser("python -m benchmarks.classifiers", description=about)
    parser.add_argument("--model", default="scenes-32", help="a shipped model of scenes, or the folder of one")
    parser.add_argument("--classifiers", type=Path, default=Path("runs/classifiers"), help="where they are, or will be")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder of the results")
    parser.add_argument("--images", type=int, default=Study.images, help="that each classifier is trained on")
    parser.add_argument("--n", type=int, default=Study.n, help="pictures of each prompt, at least 2")
    parser.add_argument("--train-only", action="store_true", help="train the classifiers and stop")
    parser.add_argument("--quick", action="store_true", help="seconds, to see that everything works")
    asked = parser.parse_args(args)
    if asked.n < 2:
        parser.error("--n must be at least 2: diversity is how far two pictures of one prompt are apart")
    study, folder, out = Study(images=asked.images, n=asked.n), asked.classifiers, asked.out
    if asked.quick:
        study, folder, out = QUICK, folder / "quick", Path("runs/quick-benchmarks")
    if asked.train_only:
        for chosen in classifiers(study).values():
            trained(chosen, folder)
        return
    found, judges = study_of(load(asked.model), folder, study)
    text = "\n".join(lines(found, judges, study, sys.argv[1:] if args is None else args)) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    (out / "classifiers.md").write_text(text, "utf-8")
    figure(found, out / "classifiers.png")
    print(text)


if __name__ == "__main__":
    main()
