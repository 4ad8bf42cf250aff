"""`lodestar figure mixture`: the numbers, the picture, and what is refused before anything runs."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from lodestar import read_recipe
from lodestar.cli import main
from lodestar.core import Prediction
from lodestar.errors import UsageError
from lodestar.figure.mixture import CLASSES, aim, denoiser, panel, triangle
from lodestar.guidance import CFG, Negative
from lodestar.oracle import GaussianMixture, Limited
from lodestar.samplers import sampler

SMALL = ("--n", "40", "--steps", "4", "--threads", "1")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def figure(*args):
    return main(["figure", *map(str, args), *SMALL])


def results():
    return json.loads(Path("out.json").read_text())


def refused(capsys, *args):
    """The one line that is said of a mistake; nothing is left."""
    assert figure(*args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []
    return err.removeprefix("lodestar: error: ")


def test_a_picture_with_its_recipe_a_table_and_numbers(capsys):
    assert figure("mixture", "--scales", 1, 3, "--guidance", "cfg(4)", "--out", "m.png", "--json", "out.json") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "picture: m.png"
    assert [word for word in ("ancestral", "ddim", "W1 to target", "evaluations") if word not in out] == []
    panels = results()["panels"]
    assert [(p["sampler"], p["guidance"], p["w"], p["evaluations_per_sample"]) for p in panels] == [
        (name, rule, w, evaluations)
        for name in ("ancestral", "ddim")
        for rule, w, evaluations in (("cfg(1)", 0, 4), ("cfg(3)", 2, 8))
    ]
    for p in panels:
        low, high = p["to_target"]["interval"]
        assert 0 <= low <= p["to_target"]["w1"] <= high
    recipe = read_recipe("m.png")
    assert recipe == results()["config"]
    assert (recipe["command"], recipe["guidance"], recipe["scales"]) == ("figure", "cfg(4)", [1, 3])


def test_the_picture_has_a_column_for_each_scale_and_a_row_for_each_sampler():
    assert figure("--scales", 2, "--samplers", "ddim", "--out", "one.png") == 0
    assert figure("--scales", 2, 3, "--samplers", "ddim", "ancestral(noise_mix=.1)", "--out", "four.png") == 0
    one, four = (Image.open(name) for name in ("one.png", "four.png"))
    assert four.width > 1.7 * one.width
    assert four.height > 1.3 * one.height


@pytest.mark.parametrize("rule", ["negative", "rescale(cfg, phi=.5)", "interval(cfg, lo=.2, hi=2)"])
def test_any_rule_can_be_drawn(rule):
    assert figure("--guidance", rule, "--scales", 2, "--samplers", "ddim", "--json", "out.json") == 0
    assert results()["panels"][0]["guidance"].startswith(rule.partition("(")[0])


@pytest.mark.parametrize("rule", ["cfgpp(0.4)", "edit(3, image=1.5)", "rescale(fdg([2, 3]))"])
def test_a_rule_without_a_scale_is_one_column_as_it_is_written(rule, capsys):
    assert figure("--guidance", rule, "--samplers", "ddim", "--json", "out.json") == 0
    [panel] = results()["panels"]
    assert panel["guidance"].startswith(rule.rstrip(")"))
    assert (panel["scale"], panel["w"], results()["config"]["scales"]) == (None, None, None)
    assert panel["to_target"]["w1"] > 0
    assert re.search(r"^ddim +- +- ", capsys.readouterr().out, re.MULTILINE)
    Path("out.json").rename("job.json")
    assert main(["figure", "--config", "job.json", "--dry-run"]) == 0


def test_scales_that_nobody_gives_are_settled(capsys):
    assert figure("--dry-run") == 0
    assert json.loads(capsys.readouterr().out)["scales"] == [1, 2, 4]


def test_a_dry_run_writes_nothing_and_is_read_back(capsys):
    assert figure("--scales", 2, "--denoiser", "blurred(.2)", "--samplers", "ddim", "--dry-run") == 0
    settled = capsys.readouterr().out
    assert list(Path().iterdir()) == []
    Path("job.json").write_text(settled)
    assert main(["figure", "--config", "job.json", "--dry-run"]) == 0
    assert capsys.readouterr().out == settled
    assert json.loads(settled)["denoiser"] == "blurred(0.2)"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--samplers", "ddin"], "unknown sampler 'ddin': did you mean 'ddim'?"),
        (["--guidance", "cgf"], "unknown rule 'cgf': did you mean 'cfg'?"),
        (["--denoiser", "blured"], "unknown denoiser 'blured': did you mean 'blurred'?"),
        (["--denoiser", "blurred(wide)"], "width of blurred must be a number, got wide"),
        (["--denoiser", "undertrained(2)"], "share must be above 0 and at most 1, got 2"),
        (["--denoiser", "limited"], "no class has more than 1 components: such a denoiser would be exact"),
        (["--scales", "nan"], "scale must be finite, got nan"),
        (["--scales", "2", "--guidance", "cfgpp"], "--scales needs a rule with a scale in it, and cfgpp has none"),
        (["--out", "m.jpg"], "--out m.jpg must end in .png, which is what is written"),
        (["--json", "mixture.png"], "--json mixture.png is where the picture goes: give another file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(capsys, args, said):
    assert refused(capsys, *args).startswith(said)


def test_another_figure_is_refused(capsys):
    assert "mixture" in refused(capsys, "mixtre")


def test_without_matplotlib_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'lodestar-diffusion[figure]'" in refused(capsys)


def drawn(name, scale, denoise="exact", n=400, rule=CFG):
    """A panel of the figure, in 32 steps."""
    mixture = triangle()
    to = aim(mixture, rule(scale), scale, n, seed=0)
    return panel(denoiser(denoise, mixture), name, sampler(name), to, 32, seed=0)


def test_without_guidance_every_sampler_draws_the_target():
    for name in ("dpmpp_2m", "ddim"):
        at_1 = drawn(name, 1.0)
        assert at_1.to_target.interval[0] == 0 or at_1.to_target.value < 1.5 * at_1.aim.floor


def test_with_guidance_neither_draws_the_target_and_ddim_goes_the_farther():
    ancestral, ddim = drawn("ancestral", 4.0), drawn("ddim", 4.0)
    assert ancestral.to_target.interval[0] > 2 * ancestral.aim.floor
    assert ddim.to_target.interval[0] > ancestral.to_target.interval[1]


def test_a_little_guidance_mends_the_undertrained():
    plain, guided = (drawn("dpmpp_2m", s, "undertrained(.3)", n=1000).to_conditional for s in (1.0, 1.1))
    assert guided.interval[1] < plain.interval[0]


def test_negative_aims_away_from_the_next_class_alone():
    to = drawn("ddim", 2.0, n=300, rule=Negative).aim
    means = triangle().means
    assert [t.away for t in to.targets] == [1, 2, 0]
    assert torch.allclose(to.points.mean(1), 2 * means - means.roll(-1, 0), atol=0.12)


def test_the_triangle_has_three_classes_alike():
    means = triangle().means
    assert torch.allclose(torch.cdist(means, means) + 3**0.5 * torch.eye(CLASSES), torch.full((3, 3), 3**0.5).double())


def test_denoisers_by_their_text():
    mixture = triangle()
    assert denoiser("exact", mixture) is mixture
    x, level = torch.zeros(2, 2), drawn("ddim", 1.0, n=2).aim.targets[0].level
    assert isinstance(denoiser("blurred(width=.2)", mixture)(x, level), Prediction)
    with pytest.raises(UsageError, match="no values"):
        denoiser("exact(1)", mixture)
    several = GaussianMixture.random(2, 2, torch.Generator().manual_seed(0))
    assert isinstance(denoiser("limited(1)", several), Limited)


def test_weights_that_no_sampler_takes_are_refused_as_sample_refuses_them(capsys):
    refused(capsys, "mixture", "--guidance", "tilt(2)")
    assert figure("mixture", "--guidance", "tilt", "--scales", "2", "--samplers", "particles(group=20)") == 0
