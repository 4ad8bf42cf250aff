"""A rule expression executes nothing, whatever it contains: it is a rule, or it is refused in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def fuzzed(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """What became of so many texts, in a process of its own in this folder."""
    found = subprocess.run(
        [sys.executable, HERE / "fuzzing.py", str(count), str(seed)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(folder.iterdir()) == []
    return json.loads(found.stdout)


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_no_text_executes_anything(count: int, tmp_path: Path) -> None:
    found = fuzzed(count, seed=count, folder=tmp_path)
    assert found["failures"] == []
    assert found["count"] == count
    assert 0.1 * count < found["rules"] < 0.5 * count
    assert found["megabytes"] < 100
    assert {"import", "exec", "compile", "open"} <= set(found["control"]), "the watch saw nothing"
