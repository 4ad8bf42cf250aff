"""Made-up files of points of the form that sweeps have: three rules at six scales, numbers from a formula."""

import math
from pathlib import Path

from PIL import Image

from lodestar.measure.numbers import Number
from lodestar.measure.points import Points
from lodestar.measure.setting import Evaluation, Setting

SCALES = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
RULES = {  # name: its text at a scale, interval, by how much it keeps diversity, evaluations a step
    "cfg": ("cfg({})", None, 1.0, 2.0),
    "interval(cfg)": ("interval(cfg({}), lo=0.28, hi=5.4)", (0.28, 5.4), 0.55, 1.6),
    "rescale(cfg, phi=0.7)": ("rescale(cfg({}), phi=0.7)", None, 0.8, 2.0),
}
PROTOCOL = {
    "model": {"name": "scenes-32", "digest": "0123456789abcdef"},
    "samples": 1000,
    "each": 1,
    "prompts": "test prompts of scenes",
    "first_seed": 0,
    "reference": {"data": "scenes", "split": "train", "n": 10_000, "size": [32, 32], "kept": 10_000},
    "detector": {"name": "scenes", "dim": 128, "digest": "fedcba9876543210", "resize": "none", "size": [3, 32, 32]},
    "versions": {"lodestar": "0.1.0", "torch": "2.13.0"},
}
SPLITS = 10


def evaluation(rule: str, scale: float, *, strip: str | None = None, samples: int = 1000, **setting) -> Evaluation:
    """A rule at a scale: fidelity rises with it, diversity falls, and the distance has a minimum between."""
    text, interval, keeps, cost = RULES[rule]
    w = keeps * (scale - 1)
    numbers = {
        "FD": spread(8 + 30 * math.exp(-1.2 * w) + 3.5 * w**1.3, 0.8),
        "KD": spread(0.002 + 0.02 * math.exp(-1.2 * w) + 0.001 * w, 0.0006),
        "precision": spread(0.92 - 0.3 * math.exp(-0.8 * w), 0.01),
        "recall": spread(0.75 * math.exp(-0.22 * keeps * w), 0.012),
        "prompt accuracy": spread(0.97 - 0.5 * math.exp(-0.9 * w), 0.012),
        "saturation": spread(0.04 + 0.02 * w, 0.002),
    }
    facts = {"rule": rule, "scale": scale, "w": scale - 1, "interval": interval, "strip": strip}
    made = Setting(**{"guidance": text.format(f"{scale:g}"), "sampler": "ddim", "steps": 32, **setting})
    return Evaluation(made, numbers, samples, evaluations=32 * cost, seconds=60.0 + cost, looking=2.0, facts=facts)


def spread(value: float, width: float) -> Number:
    """The number with splits around it, and the interval that they give, nearly."""
    splits = tuple(value + width * math.sin(7 * k + 100 * value) for k in range(SPLITS))
    return Number(value, value - 0.7 * width, value + 0.7 * width, splits)


def points(path: Path, *, strips: bool = False, protocol=None, evaluations=None) -> Path:
    """Such a file, with pictures beside it if asked."""
    found = Points.open(path, PROTOCOL if protocol is None else protocol)
    if evaluations is None:
        evaluations = [evaluation(rule, s, strip=_strip(path, rule, s, strips)) for rule in RULES for s in SCALES]
    for each in evaluations:
        found.add(each)
    return path


def _strip(path: Path, rule: str, scale: float, wanted: bool) -> str | None:
    """A picture of eight squares, more colourful the larger the scale."""
    if not wanted:
        return None
    folder = path.with_suffix(".strips")
    folder.mkdir(exist_ok=True)
    name = f"{list(RULES).index(rule)}-{scale:g}.png"
    image = Image.new("RGB", (8 * 100, 96), "white")
    for k in range(8):
        image.paste((int(30 * scale) % 256, 40 + 25 * k, 200 - 20 * k), (k * 100, 0, k * 100 + 96, 96))
    image.save(folder / name)
    return f"{folder.name}/{name}"
