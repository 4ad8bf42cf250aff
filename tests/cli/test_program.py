"""The program as a whole: help, exit codes, errors and warnings in one line, nothing left behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lodestar.cli import COMMANDS, command, main
from lodestar.cli.show import table
from lodestar.errors import UsageError
from lodestar.version import __version__


def refused(capsys, *args):
    """The one line that is said of a mistake."""
    assert main([str(a) for a in args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lodestar: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("lodestar: error: ").rstrip()


def test_help_lists_every_command(capsys):
    for args in (["--help"], ["-h"], []):
        assert main(args) == 0
        out = capsys.readouterr().out
        assert all(f"  {name} " in out for name in COMMANDS)


def test_each_command_has_help_of_its_own(capsys):
    for name in ("sample", "info", "rules"):
        assert main([name, "--help"]) == 0
        out = capsys.readouterr().out
        assert f"lodestar {name}" in out
        assert "--dry-run" in out
        assert "--config" in out
        assert "--json" in out


@pytest.mark.parametrize(
    ("name", "takes"),
    [("sample", "[PROMPT]"), ("edit", "[PICTURE] [INSTRUCTION]"), ("info", "[MODEL]"), ("rules", "[NAME]")],
)
def test_the_help_names_what_has_no_option(capsys, name, takes):
    assert main([name, "--help"]) == 0
    assert takes in capsys.readouterr().out.partition("\n\n")[0]


def test_a_table_in_a_file_leaves_nothing_out(capsys):
    address = "https://example.org/" + "x" * 200
    table(("rule", "source"), [("a", address), ("b", "short")])
    out = capsys.readouterr().out
    assert "".join(re.findall(r"[\w:/.]+", out.partition("\nb")[0])) == f"rulesourcea{address}"


def test_every_command_is_in_a_file_of_its_name():
    assert [command(name).name() for name in COMMANDS] == list(COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lodestar {__version__}\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["smaple"], "unknown command 'smaple': did you mean 'sample'?"),
        (["sample", "x", "--guidence", "3"], "unknown option '--guidence': did you mean '--guidance'?"),
        (["sample", "a", "red"], "unexpected 'red': put a text of several words in quotes"),
        (["sample", "x", "--n", "abc"], "--n: expected a whole number, got 'abc' (see lodestar sample --help)"),
        (["sample", "x", "--steps", "abc"], "--steps: expected a whole number, got 'abc' (see lodestar sample --help)"),
        (["sample", "x", "--scales", "1", "q"], "--scales: expected numbers, got 'q' (see lodestar sample --help)"),
        (["sample", "--scales", "1", "a red star"], "--scales: expected numbers, got 'a red star' (see lodestar"),
        (["train", "--network.channels", "8", "4.5"], "--network.channels: cannot read '8', '4.5' (see lodestar train"),
        (["train", "--network.channels", "8", "x"], "--network.channels: expected numbers, got 'x' (see lodestar"),
        (["train", "--train.betas", "1", "x"], "--train.betas: expected numbers, got 'x' (see lodestar train --help)"),
        (["train", "--preset"], "--preset needs a value (see lodestar train --help)"),
        (["train", "--out", "r", "--config"], "--config needs a value (see lodestar train --help)"),
        (["sample", "x", "--steps"], "--steps needs a value (see lodestar sample --help)"),
        (["info", "nothing-such"], "unknown model 'nothing-such': there are cifar10, edit-32, scenes, scenes-32"),
        (["rules", "cosine"], "'cosine' is a schedule and no rule: lodestar rules lists it"),
        (["rules", "unipc"], "'unipc' is a sampler and no rule: lodestar rules lists it"),
    ],
)
def test_mistakes_are_one_line(capsys, args, said):
    assert refused(capsys, *args).startswith(said)


def test_the_operating_systems_refusal_is_one_line(capsys, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "out.png")

    monkeypatch.setattr("lodestar.cli._run", fail)
    assert refused(capsys) == "out.png: No space left on device"


def test_too_little_memory_says_how_to_mend_and_other_faults_are_not_hidden(capsys, monkeypatch):
    def fail(args):
        raise RuntimeError(args[0])

    monkeypatch.setattr("lodestar.cli._run", fail)
    assert "smaller --batch" in refused(capsys, "CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(RuntimeError):
        main(["a fault of ours"])


def test_ctrl_c_is_130(capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lodestar.cli._run", interrupt)
    assert main([]) == 130
    assert capsys.readouterr().err == "lodestar: error: interrupted\n"


def test_an_error_of_several_lines_is_said_in_one(capsys, monkeypatch):
    def fail(_):
        raise UsageError("first [bold]\nsecond")

    monkeypatch.setattr("lodestar.cli._run", fail)
    assert refused(capsys) == "first [bold] second"


def test_help_and_mistakes_do_not_wait_for_torch():
    code = "import sys; from lodestar.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    for args in (["--help"], ["sample", "--help"], ["sample", "x", "--guidence", "3"]):
        done = subprocess.run([sys.executable, "-c", code, *args], env=env, capture_output=True, check=False)
        assert done.returncode == 0, args


def test_python_m_lodestar_gives_the_exit_code():
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, "-m", "lodestar", "smaple"], env=env, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_texts_of_a_wide_table_are_not_folded_into_a_few_characters(capsys):
    heads = ["rule", *(f"a long head of metric {i}" for i in range(8))]
    table(heads, [["rescale(cfg(3))", *["1.2345 0.1"] * 8]], right=heads[1:])
    assert "rescale(cfg(3))" in capsys.readouterr().out
