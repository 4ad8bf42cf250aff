"""`--named` and `--net` of `lodestar sample`: prompts and models that the guidance asks for by name."""

import json
from pathlib import Path

import pytest
import torch

from lodestar import load, read_recipe
from lodestar.cli import main
from lodestar.cli.pairs import pairs
from lodestar.errors import UsageError
from tiny import INNER, LABEL, tiny

RED, STAR = "a red circle", "a green star"
COMPOSE = ("--guidance", "compose(cfg(2), name=b, weight=2)")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weak = tiny(shape=(3, 16, 16), name="young")
    with torch.no_grad():
        for parameter in weak.network.parameters():
            parameter.mul_(0.7)
    weak.save("weak")


def results(path="out.json"):
    return json.loads(Path(path).read_text())


def resolved(capsys):
    return json.loads(capsys.readouterr().out)


def drawn(path="sample.png"):
    return Path(path).read_bytes()


def test_a_weak_network_guides(sample, tiny_model):
    assert sample(RED, "--guidance", "auto(3)", "--net", "weak=weak", "--json", "out.json") == 0
    assert results()["runs"][0]["evaluations_per_image"] == 2 * 3
    assert read_recipe("sample.png")["nets"] == {"weak": "young"}
    model = load(tiny_model)
    model.sample(RED, n=2, guidance="auto(3)", nets={"weak": load("weak")}, batch=64).save("python.png")
    assert drawn() == drawn("python.png")


def test_at_several_scales_and_for_a_file_of_prompts(sample):
    Path("prompts.txt").write_text(f"{RED}\n{STAR}\n")
    args = ("--guidance", "auto", "--net", "weak=weak", "--scales", 0, 1, 3)
    assert sample("--prompts", "prompts.txt", *args, "--out", "all", "--json", "out.json") == 0
    runs = results()["runs"]
    assert [(r["guidance"], r["evaluations_per_image"]) for r in runs] == [
        ("auto(0)", 3),
        ("auto(1)", 3),
        ("auto(3)", 6),
    ]
    assert [p["prompt"] for p in results("all/index.json")["pictures"]] == [RED, STAR]


def test_an_inner_head_guides_at_several_scales_with_no_prompt():
    tiny(config=INNER, shape=(3, 16, 16)).save("both")
    args = ["--model", "both", "--unconditional", "--guidance", "internal", "--scales", "1", "3", "--json", "out.json"]
    assert main(["sample", *args]) == 0
    assert [(r["guidance"], r["evaluations_per_image"]) for r in results()["runs"]] == [
        ("internal(1)", 3),
        ("internal(3)", 3),
    ]


def test_a_prompt_of_a_name(sample, tiny_model):
    assert sample(RED, *COMPOSE, "--named", f"b={STAR}") == 0
    assert read_recipe("sample.png")["named"] == {"b": STAR}
    load(tiny_model).sample(RED, n=2, guidance=COMPOSE[1], named={"b": STAR}, batch=64).save("python.png")
    assert drawn() == drawn("python.png")


def test_several_of_either(sample, capsys):
    """And values that have an equals sign themselves."""
    rule = "plus(compose(compose(cfg(2), name=b), name=c), auto(2))"
    Path("a=b").mkdir()
    tiny(shape=(3, 16, 16)).save("a=b/m")
    named = ("--named", f"b={STAR}", "--named", " c = a = b ")
    assert sample(RED, "--guidance", rule, *named, "--net", "weak=a=b/m") == 0
    assert read_recipe("sample.png")["named"] == {"b": STAR, "c": "a = b"}
    assert "never saw in training: " in capsys.readouterr().err


def test_classes_have_names_too():
    tiny(LABEL).save("classes")
    asked = ("--model", "classes", "--n", "1", *COMPOSE)
    for other in ("owl", "2", "dog"):
        assert (
            main(["sample", "cat", *asked, "--named", f"b={other}", "--out", f"{other}.png", "--json", f"{other}.json"])
            == 0
        )
    assert len({read_recipe(f"{o}.png")["named"]["b"] for o in ("owl", "2", "dog")}) == 3


def test_a_configuration_comes_back_and_what_is_given_here_wins_by_name(sample, capsys):
    args = (
        RED,
        *COMPOSE,
        "--named",
        f"b={STAR}",
        "--net",
        "weak=weak",
        "--guidance",
        "plus(compose(cfg(2), name=b), auto(2))",
    )
    assert sample(*args, "--dry-run") == 0
    first = resolved(capsys)
    assert (first["named"], first["net"]) == ([f"b={STAR}"], ["weak=weak"])
    Path("c.json").write_text(json.dumps(first))
    assert main(["sample", "--config", "c.json", "--dry-run"]) == 0
    assert resolved(capsys) == first
    assert main(["sample", "--config", "c.json", "--named", "c=x", "--named", f"b={RED}", "--dry-run"]) == 0
    assert resolved(capsys)["named"] == ["c=x", f"b={RED}"]
    assert sample(*args, "--out", "a.png", "--json", "out.json") == 0
    assert main(["sample", "--config", "out.json", "--out", "b.png"]) == 0
    assert drawn("a.png") == drawn("b.png")
    capsys.readouterr()
    assert main(["sample", STAR, "--config", "c.json", "--dry-run"]) == 0
    assert resolved(capsys) == {**first, "prompt": STAR}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--net", "weak"), "--net takes NAME=FOLDER, got 'weak'"),
        (("--net", "=weak"), "--net takes NAME=FOLDER, got '=weak'"),
        (("--net", "weak="), "--net takes NAME=FOLDER, got 'weak='"),
        (("--net", "weak=a", "--net", "weak=b"), "--net gives 'weak' twice: give it once"),
        (("--net", "weak=nowhere"), "unknown model 'nowhere'"),
        (("--net", "weak=no/where"), "there is no model folder at 'no/where'"),
        (("--net", "weak=empty"), "folder 'empty' has no config.json, so it is no model"),
        (("--named", "a green star"), "--named takes NAME=PROMPT, got 'a green star'"),
        (("--named", "b="), "--named takes NAME=PROMPT, got 'b='"),
        (("--named",), "--named needs a value"),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_what_is_not_written_so_or_not_there(sample, capsys, args, said, dry):
    Path("empty").mkdir()
    assert refused(sample, capsys, *args, *["--dry-run"] * dry).startswith(said)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--guidance", "auto(2)"), "guidance auto(2) needs a network named 'weak': give one (--net weak=FOLDER, "),
        (
            ("--guidance", "cfg(2)", "--net", "weak=weak"),
            "guidance cfg(2) reads the network named 'weak' at no step: use",
        ),
        (
            ("--guidance", "auto(2)", "--net", "weak=small"),
            "'weak' makes images of [3, 8, 8] and model 'tiny' of [3, 16,",
        ),
        (("--guidance", "auto(2)", "--net", "weak=classes"), "'weak' reads other conditions than model 'tiny'"),
        (("--guidance", "auto(2)", "--net", "main=weak"), "no network is named 'main'"),
        (
            ("--guidance", "internal(2)"),
            "guidance internal(2) needs the head 'inner', which model 'tiny' has not: train",
        ),
        (COMPOSE, "guidance compose(cfg(2), name=\"b\", weight=2) needs a prompt named 'b': give one (--named b=PRO"),
        (
            ("--guidance", "cfg(2)", "--named", f"b={STAR}"),
            "guidance cfg(2) reads the prompt named 'b' (--named b=PROMPT",
        ),
        ((*COMPOSE, "--named", f"null={STAR}"), "no prompt is named 'null'"),
        ((*COMPOSE, "--named", f"negative={STAR}", "--negative", RED), "two prompts are named 'negative'"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sampled(sample, capsys, monkeypatch, args, said):
    tiny().save("small")
    tiny(LABEL, shape=(3, 16, 16)).save("classes")
    monkeypatch.setattr("lodestar.job.Job.run", None)  # sampling would fail
    assert refused(sample, capsys, *args).startswith(said)


def refused(sample, capsys, *args):
    """The one line that is said of a mistake."""
    assert sample(RED, *args) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert not Path("sample.png").exists()
    return err.removeprefix("lodestar: error: ")


def test_pairs_keep_their_order_and_values():
    assert list(pairs("--x", "Y", ["b=1", "a = 2=3 "]).items()) == [("b", "1"), ("a", "2=3")]
    with pytest.raises(UsageError, match="--x takes NAME=Y, got ''"):
        pairs("--x", "Y", [""])
