"""What the tests of several commands share."""

import pytest

from lodestar.cli import main


@pytest.fixture
def sample(tiny_model):
    """Runs `lodestar sample` on the tiny model; gives the exit code."""

    def run(*args):
        return main(["sample", "--model", str(tiny_model), "--n", "2", *map(str, args)])

    return run
