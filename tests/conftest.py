"""What tests of several rooms share."""

from pathlib import Path

import pytest

from tiny import tiny


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a saved text model with random weights: 16x16 pixels, 3 steps."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny(shape=(3, 16, 16)).save(folder)
    return folder
