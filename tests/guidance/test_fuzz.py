"""A rule expression executes nothing, whatever it contains: it is a rule, or it is refused in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


COUNT, SEED = 100_000, 0


def fuzzed(folder: Path) -> dict[str, Any]:
    """What became of the texts, in a process of its own in this folder."""
    found = subprocess.run(
        [sys.executable, HERE / "fuzzing.py", str(COUNT), str(SEED)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(folder.iterdir()) == []
    return json.loads(found.stdout)


def test_no_text_executes_anything(tmp_path: Path) -> None:
    found = fuzzed(tmp_path)
    assert found["failures"] == []
    assert found["count"] == COUNT
    assert 0.1 * COUNT < found["rules"] < 0.5 * COUNT
    assert found["megabytes"] < 100
    assert {"import", "exec", "compile", "open"} <= set(found["control"]), "the watch saw nothing"
