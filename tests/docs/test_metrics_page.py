"""docs/metrics.md: its code runs, and its numbers are what comes out."""

import inspect
import re

import pytest
import torch
from pages import blocks, dead_links, sections, text

from judges import classifier
from lodestar import model_folder
from lodestar.data.scenes.answers import SCHEMA
from lodestar.measure import metrics

PAGE = "metrics.md"
SECTIONS = sections(PAGE)


def run(code, names):
    exec(compile(code, PAGE, "exec"), names)
    return names


@pytest.fixture(name="seen")
def _seen(tmp_path, monkeypatch, capsys):
    """What the first blocks leave behind, with a classifier of random weights."""
    monkeypatch.setattr(model_folder, "SHIPPED", tmp_path)
    classifier(SCHEMA, name="scenes").save(tmp_path / "scenes")
    g = torch.Generator().manual_seed(0)
    real, drawn = (torch.randint(0, 256, (1000, 3, 8, 8), generator=g).to(torch.uint8) for _ in range(2))
    names = {"real_pictures": real, "pictures": drawn}
    for block in blocks(SECTIONS[""]):
        run(block, names)
    return names, capsys.readouterr().out


def test_one_look_serves_all(seen):
    names, out = seen
    assert re.match(r"FD-scenes [\d.e-]+\nKD-scenes [-\d.e]+\nrecall-scenes [\d.]+\n\{'name': 'scenes'", out)
    assert names["moments"].n == 1000
    assert torch.allclose(names["moments"].mean, names["drawn"].double().mean(0), atol=1e-5)


def test_the_table_of_few_samples_and_the_labels_are_what_comes_out():
    few, balanced = blocks(SECTIONS["Distances between two sets"])
    names = run(few, {"torch": torch, "frechet": metrics.frechet})
    said = re.findall(r"^\| (\d[^|]*(?:\|[^|]*){8})\|$", SECTIONS["Distances between two sets"], re.M)
    assert [[float(v.replace(",", "")) for v in row.split("|")] for row in said] == [
        pytest.approx(row, abs=0.0051) for row in names["rows"]
    ]
    names = run(balanced, names)
    found = re.search(r"balanced (\d\.\d+), at random (\d\.\d+)", SECTIONS["Distances between two sets"])
    assert [float(v) for v in found.groups()] == pytest.approx([names["balanced"], names["at_random"]], abs=0.0051)


def test_pairs_are_surer_than_two_intervals():
    (block,) = blocks(SECTIONS["How sure"])
    names = run(block, {"torch": torch, "sample": lambda n, seed: torch.ones(n, 2)})
    a, b = (metrics.by_splits(names[k].tolist()) for k in "ab")
    assert a.low < b.high
    assert 0 not in names["apart"]


def test_every_metric_is_told_of_and_links_lead_somewhere():
    functions = {n for n in metrics.__all__ if inspect.isfunction(getattr(metrics, n))}
    assert all(name in text(PAGE) for name in functions | {"precision", "recall", "density", "coverage"})
    assert not re.search(r"\]\([^h)#]", text(PAGE)) or dead_links(PAGE) == []
