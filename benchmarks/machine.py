"""What a result was measured on: without it a number of seconds says nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from lodestar.version import __version__

BUSY = 0.5  # load average above which something else is running


def machine(device: str = "cpu") -> dict[str, object]:
    """Processor, cores, threads, versions, and how busy the machine was before."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lodestar": __version__,
        "diffusers": _version("diffusers"),
        "load": load(),
    }


def steady(device: str = "cpu") -> dict[str, object]:
    """The same for results that no other program can change: without how busy it was."""
    return {name: value for name, value in machine(device).items() if name != "load"}


def load() -> float | None:
    """Programs that wanted to run in the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
