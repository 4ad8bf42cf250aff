"""--dry-run prints what --config reads, exactly."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from lodestar.cli import main
from lodestar.cli.command import Command
from lodestar.cli.config import from_json, to_json
from lodestar.errors import UsageError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Part:
    widths: tuple[int, ...] = (1, 2)
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Whole(Command):
    part: Part = Part()
    path: Path | None = None
    pair: tuple[int, float] = (1, 2.0)
    on: bool = False


def test_every_kind_of_option_survives_json():
    whole = Whole(part=Part((3,), 1.0, "b"), path=Path("x/y"), pair=(3, 4.0), on=True)
    back = from_json(Whole(), json.loads(json.dumps({k: v for k, v in to_json(whole).items() if k != "command"})), "c")
    assert back == whole
    assert type(back.pair[1]) is float


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"onn": True}, "unknown option in c 'onn': did you mean 'on'?"),
        ({"on": 1}, "c: on cannot be 1"),
        ({"pair": [1, "x"]}, 'c: pair cannot be "x"'),
        ({"pair": [1, 2, 3]}, "c: pair cannot be"),
        ({"part": {"kind": "z"}}, 'c: part: kind cannot be "z"'),
        ({"part": {"rat": 1}}, "unknown option in c: part 'rat': did you mean 'rate'?"),
    ],
)
def test_what_is_no_configuration_is_refused(data, said):
    with pytest.raises(UsageError) as refused:
        from_json(Whole(), data, "c")
    assert str(refused.value).startswith(said)


def dry(capsys, *args):
    assert main([*map(str, args), "--dry-run"]) == 0
    text = capsys.readouterr().out
    Path("c.json").write_text(text)
    return json.loads(text)


def test_the_round_trip_does_the_same(tiny_model, capsys):
    args = ["sample", "a green star", "--model", tiny_model, "--n", 2, "--seed", 5, "--scales", 1, 2.5]
    first = dry(capsys, *args, "--out", "a.png")
    assert not Path("a.png").exists()
    assert dry(capsys, "sample", "--config", "c.json") == first
    assert main(["sample", "--config", "c.json"]) == 0
    picture = Path("a.png").read_bytes()
    assert main([*map(str, args), "--out", "b.png"]) == 0
    assert Path("b.png").read_bytes() == picture


def test_what_the_model_would_choose_is_in_it(tiny_model, capsys):
    resolved = dry(capsys, "sample", "a green star", "--model", tiny_model)
    assert (resolved["guidance"], resolved["sampler"], resolved["steps"]) == ("cfg(1)", "ddim", 3)
    assert resolved["out"] == "sample.png"


def test_options_given_here_win(tiny_model, capsys):
    dry(capsys, "sample", "a green star", "--model", tiny_model, "--seed", 5, "--n", 3)
    again = dry(capsys, "sample", "--config", "c.json", "--seed", 6)
    assert (again["seed"], again["n"], again["prompt"]) == (6, 3, "a green star")
    assert dry(capsys, "sample", "--config", "c.json", "--seed", 0)["seed"] == 0


def test_another_prompt_stands_for_whatever_was_asked(tiny_model, capsys):
    dry(capsys, "sample", "--unconditional", "--model", tiny_model)
    again = dry(capsys, "sample", "--config", "c.json", "a green star")
    assert (again["prompt"], again["unconditional"]) == ("a green star", False)


def test_a_results_file_is_a_configuration_too(tiny_model, capsys):
    assert main(["sample", "a green star", "--model", str(tiny_model), "--n", "1", "--json", "out.json"]) == 0
    capsys.readouterr()
    results = Path("out.json").read_bytes()
    assert dry(capsys, "sample", "--config", "out.json")["prompt"] == "a green star"
    assert main(["sample", "--config", "out.json", "--seed", "1"]) == 0
    assert Path("out.json").read_bytes() == results


def test_where_results_go_is_no_part_of_a_configuration(tiny_model, capsys):
    said = dry(capsys, "sample", "a green star", "--model", tiny_model, "--json", "out.json")
    assert said.keys().isdisjoint({"config", "dry_run", "json"})
    Path("c.json").write_text(json.dumps({**said, "dry_run": True, "json": "out.json", "n": 1}))
    assert main(["sample", "--config", "c.json"]) == 0
    assert Path("sample.png").is_file()
    assert not Path("out.json").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "is no configuration"),
        ('{"command": "train"}', "is not a configuration of lodestar sample"),
        ('{"command": "sample", "promt": "x"}', "did you mean 'prompt'?"),
        (b"\xff\xfe\x00", "is no JSON"),
    ],
)
def test_a_bad_configuration_is_one_line(capsys, text, said):
    Path("c.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["sample", "--config", "c.json"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
