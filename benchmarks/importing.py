"""`import lodestar` against `import torch`, each a whole process of its own.

`lodestar.load` touched is the honest third: nothing of Lodestar is imported before it is used, and loading a model
needs torch.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from time import perf_counter

from .interleave import interleaved, ratio, series
from .machine import machine
from .options import Options
from .report import Finding, Report

CODE = {
    "python alone": "pass",
    "import torch": "import torch",
    "import lodestar": "import lodestar",
    "lodestar.load touched": "import lodestar; lodestar.load",
}
TARGET = 1.5  # times import torch


def measure(options: Options) -> Report:
    before = machine()
    times = interleaved({name: partial(_seconds, code) for name, code in CODE.items()}, options.rounds)
    found = {name: series(name, "s", values) for name, values in times.items()}
    findings = [
        Finding(f"{name} / import torch", ratio(found[name], found["import torch"]), TARGET, "at most")
        for name in ("import lodestar", "lodestar.load touched")
    ]
    settings = {"each": "a new process, its files in the system's cache"}
    return Report("importing", "Importing", settings, list(found.values()), findings, machine=before)


def _seconds(code: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - start
