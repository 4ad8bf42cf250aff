"""A process in a model's config.json."""

import json

import pytest

from lodestar.errors import UsageError
from lodestar.process import DDPM, EDM, PROCESSES, Cosine, Flow, Process, process_from_json, process_to_json


def test_all_are_discovered() -> None:
    assert set(PROCESSES.values()) == {Cosine, DDPM, EDM, Flow}


@pytest.mark.parametrize(
    "process", [Cosine(), Cosine(-3.5, 9.0), Flow(), Flow(shift=3.0), DDPM(scaled=True), EDM(rho=3)], ids=str
)
def test_round_trip_through_text(process: Process) -> None:
    assert process_from_json(json.loads(json.dumps(process_to_json(process)))) == process


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "Flaw"}, "did you mean 'Flow'"),
        ({}, "unknown process"),
        ({"kind": "Flow", "shifty": 3}, "did you mean 'shift'"),
        ({"kind": "Flow", "shift": "3"}, "must be a number"),
        ({"kind": "Flow", "shift": -1}, "more than 0"),
        ({"kind": "DDPM", "scaled": 1}, "scaled of DDPM must be true or false, got 1"),
        ({"kind": "DDPM", "steps": True}, "must be a number"),
        ({"kind": "__import__"}, "unknown process"),
    ],
)
def test_foreign_data_is_a_usage_error(data: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        process_from_json(data)
