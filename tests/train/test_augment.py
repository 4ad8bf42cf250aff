"""Pictures changed at random: what a shift and a hole are, and whose chance they are."""

from dataclasses import replace

import pytest
import torch
from squares import Squares

from lodestar.errors import UsageError
from lodestar.pictures import from_uint8
from lodestar.process import Flow
from lodestar.train import PRESETS, check
from lodestar.train.augment import GREY, Augment, shifted
from lodestar.train.showing import Showing

CPU = torch.device("cpu")
IMAGES = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)


def chances(n, seed=0):
    return [torch.Generator().manual_seed(seed + i) for i in range(n)]


def test_a_shift_moves_each_picture_and_reflects_its_border():
    moved = shifted(IMAGES, torch.tensor([[1, -2], [0, 0]]))
    assert torch.equal(moved[1], IMAGES[1])
    assert torch.equal(moved[0, :, 1:, :-2], IMAGES[0, :, :-1, 2:])
    assert torch.equal(moved[0, :, 0], moved[0, :, 2])  # the row above the first is the second
    assert torch.equal(moved[0, :, :, 3:], moved[0, :, :, [1, 0]])


def test_shifts_are_of_every_size_up_to_the_most():
    bars = torch.zeros(400, 3, 1, 9, dtype=torch.uint8)
    bars[:, :, :, 4] = 255
    assert set(Augment(shift=0)(bars, chances(400)).argmax(3).flatten().tolist()) == {4}
    with pytest.raises(UsageError, match="pictures of 8 pixels cannot be shifted by 8"):
        Augment(shift=8).check(8)
    tall = bars.expand(400, 3, 9, 9)
    assert set(Augment(shift=3)(tall, chances(400))[:, 0, 0].argmax(1).tolist()) == {1, 2, 3, 4, 5, 6, 7}


def test_a_hole_is_a_grey_square_and_may_hang_over_the_border():
    black = torch.zeros(200, 3, 8, 8, dtype=torch.uint8)
    holes = Augment(cutout=3)(black, chances(200))
    assert set(holes.unique().tolist()) == {0, GREY}
    sizes = (holes[:, 0] > 0).sum((1, 2))
    assert int(sizes.max()) == 9
    assert int(sizes.min()) == 4
    assert (holes[:, 0] == holes[:, 2]).all()
    assert (holes > 0).any(0).all()  # every pixel is in one at times


def test_what_is_drawn_is_the_pictures_own_whatever_part_it_is_in():
    showing = Showing(Flow(), clean=True, seed=7, augment=Augment(shift=2, cutout=2))
    images = next(Squares().batches(8, 0)).images
    x, level = showing(images, 3, 0, CPU)
    part, _ = showing(images[4:6], 3, 4, CPU)
    assert torch.equal(x[4:6], part)
    assert not torch.equal(x, showing(images, 4, 0, CPU)[0])
    assert not torch.equal(x, from_uint8(images))
    assert level.noise_to_signal.tolist() == [0] * 8


def test_without_it_pictures_are_shown_as_they_are():
    assert Augment()(IMAGES, chances(2)) is IMAGES


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="at least 0 pixels, got -1 and 0"):
        Augment(shift=-1)
    with pytest.raises(UsageError, match="cannot be shifted by 32"):
        check(replace(PRESETS["detector-scenes"], augment=Augment(shift=32)))
