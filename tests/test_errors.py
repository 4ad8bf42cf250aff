"""Names that are not there."""

import pytest

from lodestar.errors import MOST, UsageError, unknown


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("cgf", ["cfg", "icg", "negative"], "did you mean 'cfg'?"),
        ("icf", ["cfg", "icg"], "did you mean 'icg'?"),
        ("DDIM", ["ddim", "ddpm"], "did you mean 'ddim'?"),
        ("edn", ["EDM", "Flow"], "did you mean 'EDM'?"),
        ("xddim", ["ddim", "heun"], "did you mean 'ddim'?"),
        ("epsilon", ["eps", "x0"], "did you mean 'eps'?"),
        ("--step", ["--seed", "--steps"], "did you mean '--steps'?"),
        ("--number", ["--named", "--net"], "there are --named, --net"),
        ("--", ["--named", "--net"], "there are --named, --net"),
        ("temperature", ["alternate", "cfg"], "there are alternate, cfg"),
        ("text", ["edit", "tilt"], "there are edit, tilt"),
        ("", ["b", "a"], "there are a, b"),
        ("zz", [], "there are none"),
    ],
)
def test_the_nearest_name_is_offered_or_else_all_of_them(name, known, said):
    assert str(unknown("thing", name, known)) == f"unknown thing '{name}': {said}"


def test_a_message_is_one_line_of_what_can_be_printed():
    said = str(UsageError("got \x1b[2J and\n  'é\u2028\ud800' \x85\tor [[1,\n 2]]"))
    assert said == "got \\x1b[2J and 'é \\ud800' or [[1, 2]]"


def test_a_long_message_keeps_its_beginning_and_its_end():
    said = str(UsageError(f"cannot read {'x' * 10**6}: expected a value"))
    assert said.startswith("cannot read xx")
    assert said.endswith("xx: expected a value")
    assert len(said) == MOST + len(" ... ")
    assert len(str(UsageError("x" * MOST))) == MOST
