"""The Pareto set, against its definition."""

import random

import pytest

from frontiers import evaluation, points
from lodestar.measure.report.content import content
from lodestar.measure.report.pareto import pareto, unbeaten


def by_definition(gains):
    def beaten(a, b):
        return all(q >= p for p, q in zip(a, b, strict=True)) and a != b

    return {i for i, a in gains.items() if not any(beaten(a, b) for b in gains.values())}


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_no_other_point_beats(seed):
    draw = random.Random(seed)
    gains = {i: (draw.randrange(8), draw.randrange(8)) for i in range(40)}  # with many that are alike
    found = unbeaten(gains)
    assert set(found) == by_definition(gains)
    assert [gains[i][0] for i in found] == sorted((gains[i][0] for i in found), reverse=True)


def test_equal_points_are_both_in_it():
    assert unbeaten({3: (1, 1), 5: (1, 1), 7: (1, 0)}) == [3, 5]


def test_nothing_of_nothing():
    assert unbeaten({}) == []


def test_the_better_side_of_each_metric_counts(tmp_path):
    found = content([points(tmp_path / "p.jsonl", evaluations=[evaluation("cfg", s) for s in (1.0, 2.0, 3.0, 8.0)])])
    recall, fd, precision = (found.column(name) for name in ("recall", "FD", "precision"))
    assert [found.rows[i].scale for i in pareto(found.rows, recall, fd)] == [1.0, 2.0, 3.0]  # of 8, FD is worse again
    assert [found.rows[i].scale for i in pareto(found.rows, recall, precision)] == [1.0, 2.0, 3.0, 8.0]
