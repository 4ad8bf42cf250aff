"""That the study of classifiers compares what it says and is scored by whom it says; not what it finds."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from benchmarks import classifiers as study
from benchmarks.subjects import subject
from lodestar.data.scenes.captions import parse
from lodestar.measure.prompts import prompt_accuracy
from lodestar.networks.classifier import ClassifierConfig
from lodestar.networks.encoder import ImageEncoderConfig


def test_true_scenes_show_their_prompt_and_are_not_all_alike():
    for prompt in study.prompts("null", 32)[::13]:
        images = study.scenes(prompt, 3)
        assert prompt_accuracy(images, [prompt] * 3).share == 1
        assert study.diversity(images, 3) > 0.1


def test_prompts_from_the_null_have_one_object_and_from_the_conditional_several():
    one, several = ([len(parse(p).things) for p in study.prompts(base, 32)] for base in study.BASES)
    assert set(one) == {1}
    assert set(several) == {2, 3}
    assert len(one) == len(several) == len(set(study.prompts("null", 32))) == 32


def test_diversity_is_the_mean_distance_within_a_prompt():
    black, white = torch.zeros(1, 2, 2, 3, dtype=torch.uint8), torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    assert study.diversity(torch.cat([black, black, white, white]), 2) == 0
    assert study.diversity(torch.cat([black, white, black, white]), 2) == pytest.approx(2)
    assert study.diversity(torch.cat([black, black, white]), 3) == pytest.approx(4 / 3)


def test_one_picture_of_a_prompt_is_refused_before_anything_is_trained(capsys):
    with pytest.raises(SystemExit):
        study.main(["--n", "1"])
    assert "--n must be at least 2" in capsys.readouterr().err


def test_a_judge_accepts_what_all_its_answers_say():
    class Sure:
        """Is right about all that is asked of the first picture, and wrong about one thing of the second."""

        def encode(self, condition):
            return torch.tensor([[2, -1, 4], [2, 1, 4]])

        def log_p(self, x, level, answers):
            assert level.sigma == 0
            return answers.float(), torch.tensor([[True, False, True], [True, False, True]])

    class Judge:
        network = Sure()

        def condition(self, asked):
            return asked

    images = torch.zeros(2, 2, 2, 3, dtype=torch.uint8)
    assert study.accepts(Judge(), images, ["a", "b"]).tolist() == [True, False]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A study of a tiny untrained model by tiny classifiers."""
    folder, few = tmp_path_factory.mktemp("study"), replace(study.QUICK, images=16, held=8)
    image = ImageEncoderConfig(channels=(8, 16), transformers=(0, 1), head=8, vector=16)
    model = replace(subject(True).fresh(), card={"sampler": "ddim", "steps": 2})
    with pytest.MonkeyPatch.context() as patch:
        detector = replace(study.DETECTOR_SCENES, network=ClassifierConfig(replace(image, clean=True)))
        patch.setattr(study, "DETECTOR_SCENES", detector)
        patch.setattr(study, "sized", lambda network, size: ClassifierConfig(image))
        return (*study.study_of(model, folder, few), few, folder)


def test_every_side_is_there_and_its_cost(found):
    rows, judges, few, folder = found
    names = ["noise-aware-small", "clean-small", "detector"]
    assert [judge["classifier"] for judge in judges] == names
    assert all((folder / name / "model").is_dir() for name in names)
    pushed = [study.AWARE, study.CLEAN, study.THROUGH]
    every = [study.ALONE, study.CFG, *pushed, "cfg in the time of noise-aware, small"]
    kinds = [(row.base, row.kind) for row in rows]
    assert kinds == [("null", study.TRUE), *((base, kind) for base in study.BASES for kind in every)]
    pictures = few.prompts * few.n
    for row in rows:
        spent = [n / pictures / few.steps for n in vars(row.tally).values()]
        if row.kind in (study.ALONE, study.CFG):
            assert (spent[0], spent[1], spent[3], row.own) == (1 + (row.kind == study.CFG), 0, 0, None)
        if row.kind in pushed:
            through = row.kind == study.THROUGH
            assert (spent[0], spent[1], spent[3]) == (1 + (through and row.base == "null"), through, 1)
            assert row.own is not None


def test_what_it_writes(found, tmp_path):
    pytest.importorskip("matplotlib")
    rows, judges, few, _ = found
    text = "\n".join(study.lines(rows, judges, few, ["--n", "2", "--classifiers", "a folder"]))
    assert text.count("| conditional | noise-aware | small | 2 |") == 2  # the answer, and among all rows
    assert "Made by `python -m benchmarks.classifiers --n 2 --classifiers 'a folder'` on " in text
    study.figure(rows, tmp_path / "f.png")
    assert Image.open(tmp_path / "f.png").width > 1000


def test_cfg_in_the_time_of_a_classifier():
    row = study.Row("null", study.AWARE, "small", 1.0, 20, 0, 1, 0.0, 0.0, 0.0, seconds=1.5)
    alone = replace(row, kind=study.ALONE, seconds=1.0)
    assert study.in_time([row, replace(row, kind=study.CLEAN, seconds=9.0)], alone, 20) == 15


def test_classifiers_differ_where_they_should():
    made = study.classifiers(study.Study())
    assert len(made) == 7
    assert {p.train.images for p in made.values()} == {60_000}
    assert made["clean-large"].network.image.clean
    assert not made["noise-aware-large"].network.image.clean
    assert made["detector"].network.image.clean
    assert made["detector"].train.seed != made["clean-small"].train.seed
    assert made["detector"].network.image.channels not in [
        made[f"clean-{s}"].network.image.channels for s in ("small", "medium", "large")
    ]
