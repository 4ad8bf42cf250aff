"""docs/measuring.md: its commands are commands, its code runs, and its links lead somewhere."""

import re
import shlex

import pytest
from pages import DOCS, blocks, dead_links, text

from lodestar.cli import COMMANDS, command
from lodestar.measure.numbers import Number

PAGE = "measuring.md"


def commands():
    shell = "".join(re.findall(r"```sh\n(.*?)```", text(PAGE), re.S)).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in shell.splitlines() if line and not line.startswith("#")]


def test_every_command_is_one():
    read = [(args[0], command(args[0]).parse(args[1:])) for program, *args in commands() if program == "lodestar"]
    assert {"evaluate", "sweep", "compare"} <= {name for name, _ in read} <= set(COMMANDS)
    for name, asked in read:
        if name in ("evaluate", "sweep", "compare"):
            asked.check()


@pytest.mark.slow
def test_the_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").symlink_to(DOCS.parent / "benchmarks")
    names = {}
    for block in blocks(text(PAGE)):
        exec(compile(block, PAGE, "exec"), names)
    assert isinstance(names["strong"]["FD"], Number)
    assert len(capsys.readouterr().out.splitlines()) == 3 + 2 * len(names["compared"])


def test_links_lead_somewhere():
    assert dead_links(PAGE) == []
