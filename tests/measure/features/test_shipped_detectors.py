"""The detectors in the package: by their bare names, small, and right about what they know."""

import pytest
import torch

from lodestar import UsageError
from lodestar.data.scenes.source import ScenesSource
from lodestar.likelihood import known
from lodestar.measure.features import detector, look, named
from lodestar.model_folder import WEIGHTS, shipped
from lodestar.train import PRESETS
from lodestar.train.classifying import answered

MOST = 4 * 2**20  # bytes
NAMES = ["cifar10", "scenes"]


def test_the_shipped_detectors_are_these():
    assert shipped("classifier") == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_name_is_a_detector_that_is_small_and_carries_its_accuracy(name):
    found = detector(name)
    assert (found.name, found.size, named("FD", found)) == (name, (3, 32, 32), f"FD-{name}")
    assert (known(name).folder / WEIGHTS).stat().st_size <= MOST
    row = known(name).card["measured"][0]
    low, high = row["accuracy_95"]
    assert row["n"] == 10_000
    assert low <= row["accuracy"] <= high
    assert row["accuracy"] >= {"cifar10": 0.88, "scenes": 0.97}[name]
    assert row["accuracy"] == PRESETS[f"detector-{name}"].measured["accuracy"]


@pytest.mark.parametrize("name", NAMES)
def test_it_sees_pictures_of_any_size_one_by_one(name):
    found = detector(name)
    pixels = torch.randint(0, 256, (3, 3, 48, 40), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    seen = look(found, pixels)
    assert seen.features.shape == (3, found.dim)
    assert {question: p.shape[1] for question, p in seen.log_p.items()} == {q: len(c) for q, c in found.classes.items()}
    torch.testing.assert_close(seen.features[1:2], look(found, pixels[1:2]).features, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("side", [16, 32])
def test_scenes_are_read_at_either_size(side):
    found, held = detector("scenes"), ScenesSource(side).held_out(100)
    asked = found.judge.network.encode(answered(held, found.judge.schema))
    said = torch.stack([p.argmax(1) for p in look(found, held.images).log_p.values()], 1)
    assert ((said == asked) | (asked < 0)).all(1).float().mean() > 0.9


def test_cifar10_is_told_by_its_ten_classes():
    classes = "airplane automobile bird cat deer dog frog horse ship truck"
    assert detector("cifar10").classes == {"class": tuple(classes.split())}


def test_an_unknown_name_is_told_which_there_are():
    with pytest.raises(UsageError, match="unknown detector 'xyz': there are cifar10, clip, dinov2, inception, scenes"):
        detector("xyz")
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        detector("cifar100")
    with pytest.raises(UsageError, match="is a model that draws pictures"):
        detector("scenes-32")
