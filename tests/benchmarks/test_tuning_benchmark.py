"""That the benchmark of tuning keeps to its quarter of a grid's samples, and runs."""

import pytest

from benchmarks import tuning
from benchmarks.options import Options
from benchmarks.tuning import Size


@pytest.mark.parametrize("size", [Size(), tuning.EDITS], ids=["Size", "EDITS"])
def test_tune_cannot_take_more_than_a_quarter_of_the_grid(size):
    assert (size.trials + size.candidates + 1) * size.n <= tuning.SHARE * size.grid * size.n


def test_near_is_two_percent_or_one_paired_standard_error():
    from lodestar.measure.numbers import Number

    grid = Number(10.0, 9, 11, (9.9, 10.1))
    for tune, holds in ((Number(10.19, 9, 11, (10.09, 10.29)), True), (Number(10.21, 9, 11, (10.11, 10.31)), False)):
        near, share = tuning._findings("m", "FD", {"grid": grid, "tune": tune}, {"grid": 40, "tune": 10})
        assert near.holds == holds
        assert share.holds
    shares = Number(0.90, 0.8, 1, (0.9, 0.9)), Number(0.99, 0.9, 1, (0.99, 0.99))
    for grid, tune in (shares, shares[::-1]):
        near, _ = tuning._findings("m", "edit accuracy", {"grid": grid, "tune": tune}, {"grid": 40, "tune": 10})
        assert near.holds == (tune.value > grid.value)
    grid = Number(10.0, 9, 11, (9.9, 10.1))
    unsure = Number(10.4, 9, 11, (9.9, 10.9))  # a standard error of 0.4
    assert next(tuning._findings("m", "FD", {"grid": grid, "tune": unsure}, {"grid": 40, "tune": 10})).holds


def test_a_report_is_named_by_its_one_model_and_the_samples_asked_for():
    assert tuning.named(Options()) == "tuning"
    assert tuning.named(Options(models=("edit-32",))) == "tuning-edit-32"
    assert tuning.named(Options(models=("edit-32",), samples=1000)) == "tuning-edit-32-1000"


@pytest.mark.slow
def test_it_runs(tmp_path):
    from judges import classifier

    classifier(name="tiny").save(tmp_path / "detector")
    found = tuning.measure(Options(quick=True, models=("scenes-32",), detector=str(tmp_path / "detector")))
    assert [s.name for s in found.series][:2] == ["scenes-32: grid", "scenes-32: tune"]
    assert len(found.series) > 3
    alone = Options(quick=True, models=("edit-32",), detector=str(tmp_path / "detector"), alone=True)
    series = tuning.measure(alone).series
    assert [s.name for s in series] == [f"edit-32: {what}" for what in ("grid", "tune", "the model's default")]
    assert {s.unit for s in series} == {"edit accuracy"}
