"""Every command and example of README.md runs. Long runs are cut short; everything else is as a reader types it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lodestar.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SHORT = "--steps 2 --train.batch 4 --train.validate-images 4 --train.sample-every 0"  # added to a training run
SMALL = "--network.channels 8 16 16 16 --network.transformers 0 0 0 1 --network.head 8 --network.vector 32"


FEW = dict.fromkeys(("evaluate", "sweep"), "--n 20 --steps 1 --reference-n 60")
FEW |= {"compare": "--n 20 --tune-n 80 --evaluations 2 --reference-n 60"}
FEW |= {"tune": "--n 20 --trials 2 --candidates 1 --steps 1 --reference-n 60"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> Iterator[str]:
    lines = [line.strip() for block in blocks("sh") for line in block.splitlines()]
    return (line for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README's commands speak of."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "prompts.txt").write_text("a red circle\na green star on black\n")
    _captioned(folder / "my-folder")
    _classes(folder / "cifar10")
    return folder


def _picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)


def _captioned(folder: Path) -> None:
    for i in range(12):
        _picture(folder / f"{i}.png", i)
    lines = [f'{{"file_name": "{i}.png", "text": "a smiling cat number {i}"}}' for i in range(12)]
    (folder / "metadata.jsonl").write_text("\n".join(lines))


def _classes(folder: Path) -> None:
    for i in range(12):
        _picture(folder / ("cat" if i % 2 else "dog") / f"{i}.png", i)


def shortened(command: str) -> list[str]:
    """A training run of two steps of a small network; a resumed one must say the same as the first.

    Few samples, and few steps of a sampler, where a model is measured.
    """
    args = shlex.split(command)[1:]
    if args[0] in FEW:
        return [*args, *FEW[args[0]].split(), "--cache", "cache"]
    if args[0] != "train":
        return args
    small = SMALL if "scenes-32" not in command else ""
    return [*args, *SHORT.split(), *small.split(), "--quiet"]


def test_every_command_runs(desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(desk)
    ran = []
    for command in commands():
        assert command.startswith("lodestar "), command
        code = main(shortened(command))
        assert code == 0, f"{command}: {capsys.readouterr().err}"
        ran.append(command)
    assert len(ran) >= 12
    for name in (
        "strip.png",
        "out.json",
        "scales.png",
        "negative.png",
        "not.png",
        "free.png",
        "cats.png",
        "out.png",
        "auto.png",
        "runs/sweep.jsonl",
        "runs/compare.jsonl",
        "report.html",
        "folder/index.json",
    ):
        assert (desk / name).stat().st_size > 0


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example, _ = blocks("python")
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["result"].images.shape == (8, 32, 32, 3)  # type: ignore[attr-defined]
    assert (tmp_path / "strip.png").is_file()
    assert (tmp_path / "pictures/00007.png").is_file()


def test_the_lines_for_your_own_code_run() -> None:
    _, example = blocks("python")
    asked = []

    def network(x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        asked.append(len(x))
        return x * labels[:, None] / 10

    names: dict[str, object] = {"network": network, "labels": torch.arange(4), "null": torch.tensor([4])}
    names |= {"noise": torch.randn(4, 2)}
    exec(compile(example, "README.md", "exec"), names)
    assert names["x"].isfinite().all()  # type: ignore[attr-defined]
    assert sum(asked) == names["denoise"].evaluations == 25 * 2 * 4  # type: ignore[attr-defined]


def test_the_make_targets_are_there() -> None:
    targets = re.findall(r"^make (\w[\w-]*)", README, re.M)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert {"demo", "test"} <= set(targets)
    assert all(re.search(rf"^{t}:", makefile, re.M) for t in targets)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []
