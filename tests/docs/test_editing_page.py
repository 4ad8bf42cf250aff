"""docs/editing.md: its commands and its Python run."""

import re
import shlex

import pytest
from pages import blocks, dead_links, text
from PIL import Image

from lodestar.cli import main

PAGE = "editing.md"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with a picture."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (50, 40), (160, 160, 160)).save("in.png")
    return tmp_path


def commands():
    return [line for block in re.findall(r"```sh\n(.*?)```", text(PAGE), re.S) for line in block.splitlines()]


def test_the_commands_that_edit_run(desk):
    edits = [shlex.split(c)[1:] for c in commands() if c.startswith("lodestar edit")]
    assert len(edits) == 2
    assert [main(args) for args in edits] == [0, 0]
    assert all((desk / name).is_file() for name in ("out.png", "four.png"))


def test_those_that_train_can_be_carried_out(desk, capsys):
    for command in (c for c in commands() if c.startswith("lodestar train")):
        assert main([*shlex.split(command)[1:], "--dry-run"]) == 0, capsys.readouterr().err


def test_the_python_runs(desk):
    names = {}
    for block in blocks(text(PAGE)):
        exec(compile(block, PAGE, "exec"), names)
    assert names["result"].images.shape == (4, 32, 32, 3)
    assert len(list((desk / "edited").iterdir())) == 4


def test_links_lead_somewhere():
    assert dead_links(PAGE) == []
