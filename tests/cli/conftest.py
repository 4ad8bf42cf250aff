"""What the tests of several commands share."""

from pathlib import Path

import pytest

from judges import classifier
from lodestar.cli import main


@pytest.fixture
def sample(tiny_model):
    """Runs `lodestar sample` on the tiny model; gives the exit code."""

    def run(*args):
        return main(["sample", "--model", str(tiny_model), "--n", "2", *map(str, args)])

    return run


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where one is, with `detector`, a tiny one of scenes, and a cache in it."""
    monkeypatch.setenv("LODESTAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    classifier(name="tiny").save(tmp_path / "detector")
    return tmp_path
