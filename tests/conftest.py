"""What tests of several rooms share."""

from pathlib import Path

import pytest
import torch

from benchmarks.kernels import declare
from tiny import tiny

declare()  # or torch-fidelity, torchmetrics and transformers cannot be imported beside a CPU-only build of torch
torch.set_num_threads(1)  # a thread more costs small tensors more time than it saves, by far when cores are busy


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a saved text model with random weights: 16x16 pixels, 3 steps."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny(shape=(3, 16, 16)).save(folder)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have to show, by whichever worker: `record_property("table", text)`."""
    for report in terminalreporter.getreports("passed"):
        for text in (text for name, text in report.user_properties if name == "table"):
            terminalreporter.write_line("")
            terminalreporter.write_line(str(text))
