"""How far a long measurement is, told for each of its points."""

from lodestar.cli.going import going


def test_more_points_than_were_foreseen_leave_no_time_below_none(capsys):
    with going("compare", 1, 10.0) as tell:
        tell.begin("first", 10.0)(10, 10)
        tell.begin("second", 10.0)(10, 10)
        assert tell.left() == 0.0
    told = [line for line in capsys.readouterr().err.splitlines() if "compare" in line and " of " in line]
    assert ["1 of 1: first" in told[0], "2 of 2: second" in told[1]] == [True, True]
