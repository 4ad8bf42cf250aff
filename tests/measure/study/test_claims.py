"""Claims on made-up points: what is true is confirmed, what is false refuted, and n decides what is open."""

import pytest

from lodestar.errors import UsageError
from lodestar.measure.numbers import Number
from lodestar.measure.study.claims import (
    Part,
    Verdict,
    alike,
    falling,
    gaps,
    interior_minimum,
    rising,
    saturating,
    worse,
)
from lodestar.measure.study.claims import curve as curve_of
from lodestar.measure.study.claims import frontier as front
from made_up import N, curve, number, point

LEAST_INSIDE = {0: 10.0, 0.1: 9.0, 0.3: 8.0, 1: 9.5, 4: 20.0}
W = (0.0, 0.1, 0.3, 1.0, 4.0)


def said(parts) -> str:
    return Verdict("", "", parts, N).said


def frontier(drift: float, noise: float = 0.0, start: float = 0.2):
    """Distances along a line over scores, this much above it."""
    scores = {w: start + 0.15 * i for i, w in enumerate(W)}
    return curve({w: 10 + 20 * score + drift for w, score in scores.items()}, noise, score=scores)


def test_a_minimum_inside_is_confirmed() -> None:
    assert said(interior_minimum(curve(LEAST_INSIDE, noise=0.1))) == "confirmed"


@pytest.mark.parametrize(
    "distances",
    [{0: 5.0, 0.1: 6.0, 0.3: 7.0, 1: 8.0, 4: 9.0}, {0: 9.0, 0.1: 8.0, 0.3: 7.0, 1: 6.0, 4: 5.0}],
    ids=["rising", "falling"],
)
def test_a_minimum_at_an_end_refutes_one_inside(distances) -> None:
    assert said(interior_minimum(curve(distances, noise=0.1))) == "refuted"


def test_a_minimum_at_a_large_w_is_not_at_a_small_one() -> None:
    assert said(interior_minimum(curve({0: 10.0, 0.3: 9.0, 1: 8.0, 2: 6.0, 4: 9.0}, noise=0.1))) == "refuted"


def test_what_is_within_the_noise_is_undecided_and_the_n_is_told() -> None:
    parts = interior_minimum(curve({0: 10.0, 0.3: 9.5, 4: 20.0}, noise=0.5))
    verdict = Verdict("", "", parts, N)
    assert verdict.said == "undecided"
    assert verdict.needed is not None
    assert verdict.needed > N


def test_a_minimum_takes_points_on_all_sides() -> None:
    for distances in ({0: 1.0, 4: 2.0}, {0.1: 1.0, 4: 2.0}, {0: 1.0, 0.3: 0.5}):
        with pytest.raises(UsageError, match="minimum at small w"):
            interior_minimum(curve(distances))


def test_rising_and_falling_at_every_step() -> None:
    up = curve({w: 1.0 * i for i, w in enumerate(W)}, noise=0.05)
    assert said(rising(up, "FD")) == "confirmed"
    assert said(falling(up, "FD")) == "refuted"
    assert len(rising(up, "FD")) == len(W) - 1


def test_one_clear_fall_refutes_a_rise() -> None:
    assert said(rising(curve({0: 1.0, 1: 3.0, 2: 2.0, 4: 5.0}, noise=0.05), "FD")) == "refuted"


def test_the_needed_samples_are_those_at_which_the_interval_leaves_the_border() -> None:
    part = Part("", Number(1.0, -1.0, 3.0))
    assert not part.holds
    assert not part.fails
    assert part.needed(100) == 400  # half a width of 2 must become 1
    assert Verdict("", "", [part], 100).needed == 400
    assert Verdict("", "", [Part("", Number(0.0, -1.0, 1.0))], 100).needed is None


def test_what_leans_against_a_claim_is_decided_by_that_part_alone() -> None:
    slow, against = Part("", Number(0.1, -1.0, 1.2)), Part("", Number(-1.0, -2.5, 0.5))
    assert Verdict("", "", [slow, against], 100).needed == 230  # 225, to two digits


def test_within_a_margin() -> None:
    assert Part("", Number(0.1, -0.2, 0.4), -0.5, 0.5).holds
    assert Part("", Number(0.9, 0.6, 1.2), -0.5, 0.5).fails
    open_ = Part("", Number(0.3, 0.0, 0.6), -0.5, 0.5)
    assert not open_.holds
    assert not open_.fails
    assert open_.needed(100) == pytest.approx(100 * (0.3 / 0.2) ** 2)


def test_a_frontier_above_another_is_worse_wherever_its_points_lie() -> None:
    best, shifted = frontier(0, noise=0.05), frontier(0, noise=0.05, start=0.27)
    assert said(worse(frontier(3, noise=0.05), {"best": best, "shifted": shifted}, "score")) == "confirmed"
    assert said(worse(frontier(-3, noise=0.05), {"best": best}, "score")) == "refuted"
    assert said(worse(frontier(0.05, noise=0.5), {"best": best}, "score")) == "undecided"


def test_a_gap_is_taken_at_the_same_score() -> None:
    for gap in gaps(frontier(2), frontier(0, start=0.25), "score"):
        assert gap.apart.value == pytest.approx(2)
        assert gap.level == pytest.approx(10 + 20 * gap.score)


def test_points_behind_the_frontier_do_not_count() -> None:
    behind = {**frontier(0), 9.0: point(9, FD=40.0, score=0.3)}
    assert list(front(behind, "score")) == list(W)
    assert [g.apart.value for g in gaps(behind, frontier(0), "score")] == pytest.approx([0, 0, 0])


def test_frontiers_alike_within_a_tenth() -> None:
    assert said(alike(frontier(0.3, noise=0.01), frontier(0), "score")) == "confirmed"
    assert said(alike(frontier(6, noise=0.01), frontier(0), "score")) == "refuted"
    assert said(alike(frontier(0, noise=5), frontier(0), "score")) == "undecided"


def test_frontiers_without_common_scores_decide_nothing() -> None:
    verdict = Verdict("", "", alike(frontier(0), frontier(0, start=5.0), "score"), N)
    assert verdict.said == "undecided"
    assert verdict.needed is None


@pytest.mark.parametrize(
    ("distances", "expected"),
    [
        ((9.0, 7.0, 6.1, 6.0), "confirmed"),
        ((9.0, 8.0, 7.0, 6.0), "refuted"),  # the last doubling still gains a sixth
        ((6.0, 6.1, 7.0, 7.1), "refuted"),  # steps harm
    ],
)
def test_steps_that_gain_and_then_no_more(distances, expected) -> None:
    by_steps = {
        t: curve({0: fd, 1: fd + 1}, noise=0.05, steps=t) for t, fd in zip((32, 64, 128, 256), distances, strict=True)
    }
    assert said(saturating(by_steps)) == expected


def test_a_curve_is_of_one_number_of_steps_by_rising_w() -> None:
    points = [point(1, 32, FD=1), point(2, 64, FD=1), point(0, 32, FD=2)]
    assert list(curve_of(points, 32)) == [0, 1]


def test_pairs_are_compared_and_not_intervals() -> None:
    a, b = number(5.0), number(4.9)  # whose splits are far apart, and alike
    assert said(rising({0: point(0, FD=4.9), 1: point(1, FD=5.0)}, "FD")) == "confirmed"
    assert max(a.splits) - min(a.splits) > 1
    assert a.value - b.value == pytest.approx(0.1)
