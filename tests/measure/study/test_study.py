"""What each study draws and claims, what is not drawn twice, and the page: on benches without a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lodestar.errors import UsageError
from lodestar.guidance import parse
from lodestar.measure.setting import Evaluation, Setting
from lodestar.measure.study import STUDIES, measured, plan, verdicts
from lodestar.measure.study.page import page
from lodestar.measure.study.plots import draw
from lodestar.measure.study.run import path_of
from made_up import point

PROTOCOL = {"samples": 1000, "detector": {"name": "made up"}}


class Paper:
    """A bench where all is as the paper says: a distance least at w 0.3, worse with few steps and much dropping."""

    def __init__(self, drop: float) -> None:
        self.drop, self.asked = drop, []

    def __call__(self, setting: Setting, on_samples=None) -> Evaluation:
        self.asked.append(setting.key)
        if on_samples is not None:
            on_samples(1000, 1000)
        w = round(parse(setting.guidance).scale - 1, 9)
        score = 0.3 + 0.6 * w / (1 + w)
        distance = 5 + 10 * abs(score - 0.45) + 4 * (self.drop == 0.5) + 200 / setting.steps**1.5
        values = {"prompt_accuracy": score, "diversity": 1 - score / 2, "saturation": score / 3}
        return point(w, setting.steps, noise=0.001, FD=distance, **values)


def paper(folder: Path, study: str, benches: dict[float, Paper] | None = None):
    """The study on such benches, which are kept where one wants to know what they were asked."""
    benches = {} if benches is None else benches

    def begin(drop: float):
        benches[drop] = Paper(drop)
        return benches[drop], {**PROTOCOL, "model": f"{drop:g}"}

    asked = plan(study)
    return asked, measured(asked, begin, folder)


@pytest.mark.parametrize("study", STUDIES)
def test_where_all_is_as_in_the_paper_every_claim_is_confirmed(study: str, tmp_path: Path) -> None:
    asked, found = paper(tmp_path, study)
    judged = verdicts(asked, found)
    assert {v.claim: v.said for v in judged} == {v.claim: "confirmed" for v in judged}


def test_models_of_a_single_score_are_compared_at_that(tmp_path: Path) -> None:
    asked, found = paper(tmp_path, "dropout")
    flat = dict.fromkeys(("prompt accuracy",), found[0.5][0].numbers["prompt accuracy"])
    found[0.5] = [replace(point, numbers={**point.numbers, **flat}) for point in found[0.5]]
    same, worse = verdicts(asked, found)
    assert (same.said, worse.said) == ("confirmed", "confirmed")
    assert " at prompt accuracy 0.3" in worse.seen


def test_the_studies_are_the_papers() -> None:
    assert set(STUDIES["dropout"].drops) == {0.1, 0.2, 0.5}
    assert [facts["w"] for _, facts in STUDIES["strength"].settings()] == [0, 0.1, 0.3, 1, 2, 4]
    assert {setting.steps for setting, _ in STUDIES["steps"].settings()} == {32, 64, 128, 256}
    assert len(STUDIES["dropout"].settings()) * 3 == 18
    assert len(STUDIES["steps"].settings()) == 12


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    paper(tmp_path, "dropout")
    benches: dict[float, Paper] = {}
    paper(tmp_path, "strength", benches)
    assert benches[0.1].asked == []
    paper(tmp_path, "steps", benches)
    assert len(benches[0.1].asked) == 9  # those with T = 64 are of the study before


def test_a_study_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    paper(tmp_path, "strength")
    file = path_of(0.1, tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:4]) + lines[4][:50])  # three points, and half of one
    benches: dict[float, Paper] = {}
    with pytest.warns(UserWarning, match="half a line"):
        _, found = paper(tmp_path, "strength", benches)
    assert len(benches[0.1].asked) == 3
    assert [p.facts["w"] for p in found[0.1]] == [0, 0.1, 0.3, 1, 2, 4]
    assert file.read_bytes().count(b"\n") == 7


def test_points_of_another_model_are_refused(tmp_path: Path) -> None:
    paper(tmp_path, "strength")
    with pytest.raises(UsageError, match="measured otherwise"):
        measured(plan("strength"), lambda drop: (Paper(drop), {**PROTOCOL, "model": "other"}), tmp_path)


@pytest.mark.parametrize(
    ("study", "given", "says"),
    [
        ("dropout", {"drops": (0.1, 0.5)}, "3 or more of --drops"),
        ("strength", {"drops": (0.1, 0.5)}, "takes 1 of --drops"),
        ("strength", {"steps": (32, 64)}, "takes 1 of --steps"),
        ("steps", {"steps": (64, 64)}, "2 or more of --steps"),
        ("strength", {"scales": (1.5, 2, 3)}, "begins without guidance"),
        ("noise", {}, "unknown study"),
    ],
)
def test_what_could_not_decide_is_refused(study: str, given: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan(study, **given)


def test_the_page_says_verdicts_numbers_and_protocol(tmp_path: Path) -> None:
    asked, found = paper(tmp_path, "strength")
    judged = verdicts(asked, found)
    text = page(asked, found, judged, PROTOCOL, lambda name: f"{name}-made-up", "strength.png")
    assert text.count("**confirmed**") == len(judged)
    assert "![The strength of guidance](strength.png)" in text
    assert "| FD-made-up | prompt accuracy-made-up |" in text
    assert json.loads(text.split("```json\n")[1].split("```")[0]) == PROTOCOL
    assert "0.3 at w 0, 0.78 at w 4" in text  # what was seen of the score
    rows = text.split("## Every point")[1].split("## How")[0].strip().splitlines()
    assert len(rows) == 2 + 6


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_is_drawn(study: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    asked, found = paper(tmp_path, study)
    picture = draw(asked, found)
    assert picture.shape[2] == 3
    assert picture.float().std() > 5
