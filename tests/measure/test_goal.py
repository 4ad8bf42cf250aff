"""What is looked for, as it is written and as it ranks settings."""

import pytest

from bowl import Bowl
from lodestar.errors import UsageError
from lodestar.measure.goal import Goal
from lodestar.measure.setting import Setting


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("FD", "FD"), "say what is best: --minimize METRIC or --maximize METRIC, one of them"),
        ((None, None), "say what is best"),
        (("FDD", None), "there is no metric 'FDD'"),
        (("prompt accuracy", None), "of prompt accuracy higher is better: say --maximize 'prompt accuracy'"),
        ((None, "fid"), "of FD lower is better: say --minimize 'FD'"),
        (("saturation", None), "neither more nor less saturation is better"),
    ],
)
def test_goals_that_are_none_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        Goal.of(*given)


def test_a_goal_by_its_name():
    assert Goal.of("fid", None) == Goal("FD")
    assert str(Goal("FD")) == "the lowest FD"
    goal = Goal.of(None, "prompt accuracy", ["FD <= 8"], within=40)
    assert str(goal) == "the highest prompt accuracy with FD <= 8 and within 40 evaluations"


def test_what_keeps_its_bounds_ranks_first_and_then_what_is_better():
    bench = Bowl(best=3)
    found = {scale: bench(Setting(f"cfg({scale})", "ddim", 20)) for scale in (1, 2, 3, 5)}
    best_first = sorted(found, key=lambda scale: Goal("FD").rank(found[scale]))
    assert best_first == [3, 2, 1, 5] or best_first == [3, 2, 5, 1]  # 1 and 5 are as far
    bounded = Goal.of("FD", None, ["prompt accuracy >= 0.9"])  # from about 3.3 on
    assert sorted(found, key=lambda scale: bounded.rank(found[scale])) == [5, 3, 2, 1]
