"""docs/classifiers.md: its commands are commands, and its code runs."""

import re
import shlex
from importlib.util import find_spec

import pytest
from pages import blocks, text

import lodestar
from judges import classifier, clip
from lodestar.cli import main
from lodestar.data.scenes.answers import SCHEMA
from lodestar.likelihood import Likelihood
from tiny import tiny

PAGE = "classifiers.md"
SHAPE = (3, 16, 16)


@pytest.fixture
def _desk(tmp_path, monkeypatch):
    """Where the page's models are, tiny and untrained."""
    classifier(SCHEMA, shape=SHAPE).save(tmp_path / "runs/classifier/model")
    clip(shape=SHAPE).save(tmp_path / "runs/clip/model")
    tiny(shape=SHAPE, name="scenes-32").save(tmp_path / "scenes-32")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lodestar.model_folder.SHIPPED", tmp_path)


def commands():
    shell = "".join(re.findall(r"```sh\n(.*?)```", text(PAGE), re.S)).replace("\\\n", " ")
    return [shlex.split(line) for line in shell.splitlines()]


@pytest.mark.usefixtures("_desk")
def test_every_command_is_one(capsys):
    ran = set()
    for program, *args in commands():
        if program == "python":
            assert args[0] == "-m"
            assert find_spec(args[1]) is not None, args[1]
            continue
        more = {"train": ["--dry-run"], "sample": ["--n", "1"]}.get(args[0], [])
        assert main([*args, *more]) == 0, (args, capsys.readouterr().err)
        ran.add(args[0])
    assert ran == {"train", "sample", "info"}


@pytest.mark.usefixtures("_desk")
def test_the_code_runs():
    names = {"lodestar": lodestar}
    for code in blocks(text(PAGE)):
        exec(compile(code, PAGE, "exec"), names)
    assert isinstance(names["judge"], Likelihood)
    assert names["clean"]
