"""Metrics of a few lines: their closed forms, and what is refused."""

import math

import pytest
import torch
from clouds import cloud

from lodestar.errors import UsageError
from lodestar.measure.metrics import (
    class_accuracy,
    clip_score,
    clipped,
    copying,
    diversity,
    inception_score,
    mind,
    nearest,
    saturation,
)
from lodestar.measure.metrics.accuracy import right
from lodestar.measure.metrics.mind import wasserstein

# Inception score


def test_inception_score_of_sure_and_even_classes_is_their_number_and_of_one_class_it_is_1():
    sure = 50 * torch.eye(5).repeat(40, 1)
    assert inception_score(sure, 1).mean == pytest.approx(5, rel=1e-9)
    assert inception_score(sure[:, :1].expand(-1, 5), 4).mean == pytest.approx(1)
    assert inception_score(sure[::5], 2).mean == pytest.approx(1)
    assert inception_score(sure + 7, 1).mean == pytest.approx(5, rel=1e-9)


def test_inception_score_of_each_split_is_exp_of_the_mean_divergence():
    logits = cloud(40, 6, 0)
    found = inception_score(logits, 4, seed=None)
    p = logits[10:20].softmax(1)
    assert found.values[1] == pytest.approx(float((p * (p / p.mean(0)).log()).sum(1).mean().exp()))
    with pytest.raises(UsageError, match="at least 4 rows, got 3"):
        inception_score(logits[:3], 4)


# MIND


def test_mind_of_a_shift_is_three_times_its_square():
    x = cloud(100, 16, 0)
    shift = torch.full((16,), 0.5, dtype=torch.float64)
    assert mind(x, x + shift, directions=4000) == pytest.approx(3 * 16 * 0.25, rel=0.05)
    assert mind(x, x) == 0
    assert mind(x, x.flip(0)) == 0


def test_mind_is_torch_fidelitys_formula_along_its_directions():
    """As torch-fidelity 0.5 has it: unit vectors of its seed, sorted projections, 3 D times the mean square."""
    x, y = cloud(40, 5, 0), cloud(40, 5, 1, 1.3)
    u = torch.nn.functional.normalize(torch.randn(1000, 5, generator=torch.Generator().manual_seed(2020)), dim=1)
    along = ((z @ u.double().T).sort(0).values for z in (x, y))
    assert mind(x, y) == pytest.approx(15 * float((next(along) - next(along)).square().mean()), rel=1e-6)


def test_one_dimensional_wasserstein_of_unequal_numbers_is_that_of_repeated_rows():
    x, y = cloud(12, 3, 0), cloud(9, 3, 1)
    assert torch.allclose(wasserstein(x, y), wasserstein(x.repeat(3, 1), y.repeat(4, 1)), rtol=1e-12)
    assert torch.allclose(wasserstein(x, x.repeat(2, 1)), torch.zeros(3).double(), atol=1e-15)


def test_mind_needs_fewer_samples_than_dimensions_for_telling_two_sets_apart():
    x, same, other = cloud(100, 256, 0), cloud(100, 256, 1), cloud(100, 256, 2, 1.3)
    assert mind(x, other) > 1.5 * mind(x, same) > 0


# Class accuracy


def test_accuracy_is_the_share_of_classes_that_come_first_or_among_the_first():
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0.0, 1.0, 2.0], [0.0, 9.0, 2.0]])
    classes = torch.tensor([0, 1, 2, 0])
    assert right(logits, classes).tolist() == [True, False, True, False]
    assert (class_accuracy(logits, classes), class_accuracy(logits, classes, top=2)) == (0.5, 0.75)
    for bad in (torch.tensor([0, 1, 2, 3]), torch.tensor([0, 1, 2, -1]), classes.float()):
        with pytest.raises(UsageError, match="whole numbers from 0 to 2"):
            right(logits, bad)
    with pytest.raises(UsageError, match="at least one"):
        class_accuracy(logits[:0], classes[:0])


# CLIP score


def test_clip_score_is_a_hundred_cosines_and_never_negative():
    image = torch.tensor([[2.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    text = torch.tensor([[5.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert clip_score(image, text).tolist() == pytest.approx([100, 100 / math.sqrt(2), 0])
    with pytest.raises(UsageError, match="3 pictures and 2 prompts"):
        clip_score(image, text[:2])


# Saturation


def flat(*colours):
    return torch.tensor(colours, dtype=torch.uint8)[..., None, None].expand(-1, -1, 4, 4)


def test_saturation_is_that_of_hsv():
    found = saturation(flat((255, 0, 0), (128, 128, 128), (0, 0, 0), (200, 100, 150)))
    assert found.tolist() == pytest.approx([1, 0, 0, 0.5])
    assert clipped(flat((255, 0, 7), (1, 254, 128))).tolist() == pytest.approx([2 / 3, 0])


def test_saturation_of_anything_but_pixels_is_refused():
    for bad in (torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)):
        with pytest.raises(UsageError, match="must be uint8"):
            saturation(bad)
    with pytest.raises(UsageError, match="3 channels"):
        saturation(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))


# Diversity


def test_diversity_is_one_minus_the_mean_cosine_of_pairs_of_each_prompt():
    x = torch.tensor([[1.0, 0.0], [2.0, 2.0], [0.0, 1.0], [1.0, 0.0], [3.0, 0.0]])
    found = diversity(x, torch.tensor([4, 7, 4, 7, 7]))
    assert found.tolist() == pytest.approx([1, 1 - (2 * math.sqrt(0.5) + 1) / 3])
    with pytest.raises(UsageError, match="at least 2 pictures"):
        diversity(x, torch.tensor([0, 1, 1, 1, 1]))
    with pytest.raises(UsageError, match="number of its prompt"):
        diversity(x, torch.tensor([0, 1]))


# Memorisation


def test_the_nearest_training_picture_and_its_distance():
    training, samples = cloud(3000, 6, 0, dtype=torch.float32), cloud(40, 6, 1, dtype=torch.float32)
    samples[7] = training[2500]
    distance, index = nearest(samples, training)
    every = torch.cdist(samples.double(), training.double(), compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distance, every.min(1).values, rtol=1e-12, atol=0)
    assert torch.equal(index, every.argmin(1))
    assert (float(distance[7]), int(index[7])) == (0, 2500)


def test_copies_are_seen_and_new_samples_are_not_blamed():
    training, held_out = cloud(2000, 6, 0), nearest(cloud(1000, 6, 1), cloud(2000, 6, 0))[0]
    assert copying(nearest(cloud(1000, 6, 2), training)[0], held_out) == pytest.approx(0.5, abs=0.04)
    assert copying(nearest(training[:1000] + 1e-3, training)[0], held_out) > 0.99
    assert copying(held_out, held_out) == 0.5
    assert copying(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0])) == (0.5 + 1 + 0 + 1) / 4
    with pytest.raises(UsageError, match="at least one each"):
        copying(held_out, held_out[:0])
