"""Claims on made-up points: what is true is confirmed, what is false refuted, and n decides what is open."""

from dataclasses import replace

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.measure.numbers import Number
from lodestar.measure.setting import Evaluation, Setting
from lodestar.measure.study.claims import (
    Part,
    Verdict,
    above_none,
    alike,
    falling,
    gaining,
    gaps,
    interior_minimum,
    rising,
    settled,
    worse,
)
from lodestar.measure.study.claims import curve as curve_of
from lodestar.measure.study.claims import frontier as front
from made_up import N, curve, number, point

LEAST_INSIDE = {0: 10.0, 0.1: 9.0, 0.3: 8.0, 1: 9.5, 4: 20.0}
W = (0.0, 0.1, 0.3, 1.0, 4.0)


def said(parts) -> str:
    return Verdict("", "", parts, N).said


def difference(value: float, half: float) -> Number:
    """With an interval of this half width, of ten splits."""
    splits = [value + half * (-1) ** i * 1.32596 for i in range(10)]  # 3 / t_9: that of +-1 is t_9 / 3
    return Number(value, value - half, value + half, tuple(splits))


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
    assert not part.holds()
    assert not part.fails()
    assert part.needed(100) == 400  # half a width of 2 must become 1
    assert Verdict("", "", [part], 100).needed == 400
    assert Verdict("", "", [Part("", Number(0.0, -1.0, 1.0))], 100).needed is None


def test_what_leans_against_a_claim_is_decided_by_that_part_alone() -> None:
    slow, against = Part("", difference(0.1, 1.1)), Part("", difference(-1.0, 1.5))
    assert Verdict("", "", [against], 100).needed == 230  # 225, to two digits
    assert Verdict("", "", [slow, against], 100).needed == 320  # of two by t_9 of 0.0125, 2.685


def test_one_of_many_differences_is_elsewhere_by_luck_and_refutes_nothing() -> None:
    holds, below = Part("", difference(3.0, 1.0)), Part("", difference(-1.1, 1.0))
    assert said([below]) == "refuted"
    assert said([below, *[holds] * 4]) == "undecided"
    assert said([Part("", difference(-1.6, 1.0)), *[holds] * 4]) == "refuted"


def test_a_curve_without_a_slope_is_seldom_said_to_have_one() -> None:
    draws = torch.randn(2000, 6, 10, generator=torch.Generator().manual_seed(0)).double()
    curves = [
        {w: Evaluation(Setting(), {"FD": Number(float(x.mean()), 0, 0, tuple(x.tolist()))}, N) for w, x in enumerate(d)}
        for d in draws
    ]
    assert sum(said(rising(flat, "FD")) == "refuted" for flat in curves) < 0.05 * len(curves)


def test_the_least_of_several_is_compared_by_a_wider_interval() -> None:
    alone = interior_minimum(curve({0: 10.0, 0.3: 8.0, 4: 20.0}, noise=0.3))
    chosen = interior_minimum(curve({0: 10.0, 0.1: 9.9, 0.3: 8.0, 1: 9.9, 4: 20.0}, noise=0.3))
    assert {part.chosen for part in alone} == {1}
    assert {part.chosen for part in chosen} == {3}
    assert chosen[0].half(3) > 1.2 * chosen[0].half()
    edge = Part("", difference(1.1, 1.0))
    assert edge.holds()
    assert not replace(edge, chosen=3).holds()


def test_more_than_without_guidance_though_not_rising() -> None:
    bent = curve({0: 1.0, 1: 3.0, 2: 2.0}, noise=0.05)
    assert said(above_none(bent, "FD")) == "confirmed"
    assert said(rising(bent, "FD")) == "refuted"
    assert said(above_none(curve({0: 1.0, 1: 3.0, 2: 0.5}, noise=0.05), "FD")) == "refuted"


def test_within_a_margin() -> None:
    assert Part("", Number(0.1, -0.2, 0.4), -0.5, 0.5).holds()
    assert Part("", Number(0.9, 0.6, 1.2), -0.5, 0.5).fails()
    open_ = Part("", Number(0.3, 0.0, 0.6), -0.5, 0.5)
    assert not open_.holds()
    assert not open_.fails()
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


def test_a_frontier_of_higher_scores_is_compared_by_the_least_distance_it_has_there() -> None:
    higher = frontier(0, start=5.0)  # which is never below a score of 5, and never nearer than 110
    assert [gap.apart.value for gap in gaps(higher, frontier(0), "score")] == pytest.approx([93, 90, 87])
    assert said(worse(higher, {"lower": frontier(0)}, "score")) == "confirmed"


def test_points_that_change_places_without_a_split_widen_nothing() -> None:
    near, far = {1: 10.0, 2: 30.0}, {1: 15.0, 2: 35.0}  # at nearly the same scores
    a, b = (curve(fd, score={1: 0.5, 2: 0.5001}, noise=0.05) for fd in (far, near))
    assert all(gap.apart.high - gap.apart.low < 6 for gap in gaps(a, b, "score")[:1])
    [one] = gaps(a, curve({1: 10.0}, score={1: 0.4}, noise=0.05), "score")
    assert one.apart.value == pytest.approx(5)
    assert one.apart.high - one.apart.low == pytest.approx(0, abs=0.6)


def test_frontiers_of_two_points_are_compared_though_no_split_reaches_what_another_does() -> None:
    def short(drift: float):
        return curve({1: 10.0 + drift, 2: 12.0 + drift}, score={1: 0.29, 2: 0.32}, noise=0.02)

    ranges = [short(0)[2]["score"].splits[k] for k in range(10)]
    assert max(ranges) - min(ranges) > 1
    assert said(worse(short(3), {"best": short(0)}, "score")) == "confirmed"


@pytest.mark.parametrize(
    ("distances", "gained", "still"),
    [
        ((9.0, 7.0, 6.1, 6.0), "confirmed", "confirmed"),
        ((9.0, 8.0, 7.0, 6.0), "confirmed", "refuted"),  # the last doubling still gains a sixth
        ((6.0, 6.1, 7.0, 7.1), "refuted", "confirmed"),  # steps harm
    ],
)
def test_steps_that_gain_and_then_no_more(distances, gained, still) -> None:
    by_steps = {
        t: curve({0: fd, 1: fd + 1}, noise=0.05, steps=t) for t, fd in zip((32, 64, 128, 256), distances, strict=True)
    }
    assert said(gaining(by_steps)) == gained
    assert said(settled(by_steps)) == still


def table(distances: str, scores: str, steps: int = 64):
    """A column of the paper's tables, at w 0, 0.1, 0.3, 1, 2 and 4."""
    values = (
        dict(zip((0.0, 0.1, 0.3, 1.0, 2.0, 4.0), map(float, row.split()), strict=True)) for row in (distances, scores)
    )
    fd, score = values
    return curve(fd, 0.02, steps, IS=score)


def test_the_papers_own_numbers_confirm_its_claims() -> None:
    first = table("1.80 1.55 3.03 12.60 21.03 26.22", "53.71 66.11 92.80 170.1 225.5 260.2")
    second = table("1.80 1.62 2.93 11.21 18.79 23.84", "52.90 64.58 88.64 158.29 212.98 248.97")
    most = table("2.21 1.91 2.65 9.13 16.16 21.48", "47.61 56.10 74.92 131.1 183.0 225.1")
    assert said(interior_minimum(first)) == said(rising(first, "IS")) == said(above_none(first, "IS")) == "confirmed"
    assert said(worse(most, {"0.1": first, "0.2": second}, "IS")) == "confirmed"
    assert said(alike(first, second, "IS")) == "confirmed"
    by_steps = {
        128: table("8.11 5.31 3.04 7.88 15.90 21.55", "81.46 105.01 156.09 295.29 378.56 422.29", 128),
        256: table("7.27 4.53 2.43 7.86 15.93 21.53", "82.45 106.12 158.47 297.98 377.37 421.03", 256),
        1024: table("7.22 4.50 2.43 7.80 15.75 21.45", "81.54 104.67 156.00 294.56 373.18 419.06", 1024),
    }
    assert said(settled(by_steps)) == "confirmed"


def test_a_curve_is_of_one_number_of_steps_by_rising_w() -> None:
    points = [point(1, 32, FD=1), point(2, 64, FD=1), point(0, 32, FD=2)]
    assert list(curve_of(points, 32)) == [0, 1]


def test_pairs_are_compared_and_not_intervals() -> None:
    a, b = number(5.0), number(4.9)  # whose splits are far apart, and alike
    assert said(rising({0: point(0, FD=4.9), 1: point(1, FD=5.0)}, "FD")) == "confirmed"
    assert max(a.splits) - min(a.splits) > 1
    assert a.value - b.value == pytest.approx(0.1)
