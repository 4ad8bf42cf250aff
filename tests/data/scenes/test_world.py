"""Scenes are functions of their index, well laid out, and true to what is held out of training."""

import numpy as np
import pytest

from lodestar.data.scenes import world
from lodestar.data.scenes.render import coverage, render
from lodestar.data.scenes.world import COLOURS, COUNTS, HELD_OUT, REACH, SHAPES, Scenes, draw

N = 4000


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return draw(np.arange(N))


def pairs(scenes: Scenes, i: int) -> list[tuple[str, str]]:
    colours = list(COLOURS)
    return [(colours[scenes.colour[i, k]], SHAPES[scenes.shape[i, k]]) for k in range(scenes.count[i])]


def test_a_scene_depends_on_its_index_alone(scenes: Scenes) -> None:
    some = draw(np.array([17, 3, 2**61 + 5, 1234]))
    assert np.array_equal(render(some, 32)[[0, 1, 3]], render(draw(np.arange(2000)), 32)[[17, 3, 1234]])
    assert np.array_equal(some.centre[2], draw(np.array([2**61 + 5])).centre[0])


def test_indices_give_different_scenes(scenes: Scenes) -> None:
    assert len(np.unique(scenes.centre[:, 0, 0])) == N


def test_a_known_scene_never_changes() -> None:
    """The world is a promise: a checkpoint's training data can be drawn again years later."""
    one = draw(np.array([7]))
    assert (pairs(one, 0), int(one.background[0])) == ([("red", "ring"), ("cyan", "square")], 1)
    assert one.radius[0, 0] == pytest.approx(0.2023742955431159, abs=1e-12)


def test_training_never_shows_a_held_out_combination(scenes: Scenes) -> None:
    assert not any(pair in HELD_OUT for i in range(N) for pair in pairs(scenes, i))


def test_every_held_out_scene_has_a_held_out_combination() -> None:
    rare = draw(np.arange(N), held_out=True)
    assert all(any(pair in HELD_OUT for pair in pairs(rare, i)) for i in range(N))


def test_all_other_combinations_come(scenes: Scenes) -> None:
    shown = {pair for i in range(N) for pair in pairs(scenes, i)}
    assert shown == {(c, s) for c in COLOURS for s in SHAPES} - set(HELD_OUT)


def test_no_two_objects_of_a_scene_are_of_one_kind(scenes: Scenes) -> None:
    assert all(len(set(pairs(scenes, i))) == scenes.count[i] for i in range(N))


@pytest.mark.parametrize("held_out", [False, True])
def test_objects_keep_apart_and_off_the_edge(held_out: bool) -> None:
    scenes = draw(np.arange(N), held_out)
    for j in range(world.MOST):
        there = scenes.count > j
        reach = REACH * scenes.radius[there, j, None]
        assert (scenes.centre[there, j] - reach > 0).all()
        assert (scenes.centre[there, j] + reach < 1).all()
        for k in range(j):
            apart = np.linalg.norm(scenes.centre[:, j] - scenes.centre[:, k], axis=1)
            room = REACH * (scenes.radius[:, j] + scenes.radius[:, k])
            assert (apart - room)[there].min() >= world.GAP - 1e-9


def test_shares_of_counts(scenes: Scenes) -> None:
    share = np.bincount(scenes.count, minlength=4)[1:] / N
    assert np.abs(share - COUNTS).max() < 4 * 0.5 / np.sqrt(N)


def test_a_scene_is_the_same_at_every_resolution() -> None:
    """Averaged down, a larger rendering is the smaller one, but for the antialiasing of edges."""
    scenes = draw(np.arange(40))
    small, large = render(scenes, 32).astype(float), render(scenes, 128).astype(float)
    averaged = large.reshape(40, 3, 32, 4, 32, 4).mean((3, 5))
    assert np.abs(averaged - small).mean() < 1.0
    assert np.abs(averaged - small).max() < 80


@pytest.mark.parametrize("shape", SHAPES)
def test_coverage_is_the_area(shape: str) -> None:
    """The antialiased area is that of 4 times as many pixels, within 2 %."""
    args = np.array([SHAPES.index(shape)]), np.array([0.2]), np.array([[0.47, 0.52]])
    assert coverage(*args, 32).mean() == pytest.approx(coverage(*args, 512).mean(), rel=0.02)
