"""Classifiers of Lodestar as detectors: what they say of clean pictures, from one pass, and by which name."""

import pytest
import torch

from judges import classifier, clip
from lodestar.core import Level
from lodestar.data.scenes.answers import QUESTIONS, SCHEMA
from lodestar.errors import UsageError
from lodestar.measure.features import ClassifierDetector, detector, look, named
from lodestar.pictures import from_uint8
from tiny import LABEL

PIXELS = torch.randint(0, 256, (5, 3, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
ZERO, ONE = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
CLEAN = Level(ONE, ZERO, ZERO, ZERO)


def test_features_are_those_before_the_heads_of_pictures_without_noise():
    judge = classifier()
    found = ClassifierDetector.of(judge, "mine")
    seen = look(found, PIXELS)
    assert torch.equal(seen.features, judge.network.image(from_uint8(PIXELS), CLEAN))
    assert (found.name, found.dim, found.size, named("FD", found)) == ("mine", 16, (3, 8, 8), "FD-mine")
    condition = judge.condition([LABEL.classes[1]] * 5)
    torch.testing.assert_close(seen.log_p["class"][:, 1], judge(from_uint8(PIXELS), CLEAN, condition))
    assert found.classes == {"class": LABEL.classes}


def test_of_several_questions_each_has_its_answers():
    found = ClassifierDetector.of(classifier(SCHEMA))
    log_p = look(found, PIXELS).log_p
    assert {q: tuple(p.shape) for q, p in log_p.items()} == {q: (5, len(a)) for q, a in QUESTIONS.items()}
    assert all(torch.allclose(p.exp().sum(1), torch.ones(5)) for p in log_p.values())


def test_a_folder_is_a_detector(tmp_path):
    judge = classifier()
    judge.save(tmp_path / "mine")
    found = detector(str(tmp_path / "mine"))
    assert torch.equal(look(found, PIXELS).features, look(ClassifierDetector.of(judge), PIXELS).features)
    assert found.digest == ClassifierDetector.of(judge).digest


def test_other_sizes_are_resized_and_the_rows_do_not_depend_on_the_batch():
    found = ClassifierDetector.of(classifier())
    large = PIXELS.repeat_interleave(2, 2).repeat_interleave(2, 3)
    whole = look(found, large).features
    assert whole.shape == (5, 16)
    parts = torch.cat([look(found, part).features for part in large.split(2)])
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


def test_what_is_no_classifier_and_what_would_pass_for_fid_is_refused():
    with pytest.raises(UsageError, match="is a clip: a detector is a classifier"):
        ClassifierDetector.of(clip())
    with pytest.raises(UsageError, match="only the network of FID"):
        ClassifierDetector.of(classifier(), "inception")
