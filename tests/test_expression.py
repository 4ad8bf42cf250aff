"""The little language: what it reads, what it prints back, and what it says of a mistake."""

import math

import pytest

from lodestar.errors import UsageError
from lodestar.expression import Call, parse, parse_call, show


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("-.28", -0.28),
        ("+1e-3", 0.001),
        ("5.", 5.0),
        ("-inf", -math.inf),
        ("None", None),
        ("true", True),
        ("[1, [2.5], ]", (1, (2.5,))),
        ("[]", ()),
        (r'"a \"b\" \\ \n"', 'a "b" \\ \n'),
        ("'it, (is)='", "it, (is)="),
        ("ddim", Call("ddim")),
        (" ddim ( ) ", Call("ddim")),
        ("cfg(4)", Call("cfg", (4,))),
        ("infer(nano)", Call("infer", (Call("nano"),))),
        ("f(=1)".replace("=", "x="), Call("f", (), (("x", 1),))),
        (
            "interval(cfg([2, 6]), lo=.28, hi=inf)",
            Call("interval", (Call("cfg", ((2, 6),)),), (("lo", 0.28), ("hi", math.inf))),
        ),
    ],
)
def test_reads(text: str, value: object) -> None:
    assert parse(text) == value
    assert parse(show(parse(text))) == value


def test_integers_and_floats_keep_their_type() -> None:
    assert type(parse("4")) is int
    assert type(parse("4.0")) is float
    assert math.isnan(parse("NaN"))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1e22, 1e-300, 0.1, -0.0, "'\"\t\r\\n", "é\n", True, None, (), 10**40])
def test_what_is_shown_reads_back(value: object) -> None:
    assert parse(show(value)) == value  # type: ignore[arg-type]


def test_prints_as_people_write() -> None:
    assert str(parse("rescale( interval(cfg(scale=4.0),lo=.28) ,phi=.70)")) == (
        "rescale(interval(cfg(scale=4), lo=0.28), phi=0.7)"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a value, got the end at character 1"),
        ("cfg(4", "expected ',' or ')', got the end at character 6"),
        ("cfg 4", "expected nothing more, got '4' at character 5"),
        ("cfg(4))", "got ')' at character 7"),
        ("cfg(,)", "expected a value, got ',' at character 5"),
        ("[1 2]", "expected ',' or ']', got '2' at character 4"),
        ("f(a=1, 2)", "a value without a name follows one with a name at character 8"),
        ("f(a=1, a=2)", "'a' is given twice, again at character 8"),
        ("4x", "at character 1"),
        ('f("abc)', "at character 3"),
        ("a\nb", "at character 3"),
        ("ınf", "expected a value, got 'ı' at character 1"),  # alike but for case, to some
        ("f(-İNF)", "expected a value, got '-' at character 3"),
        ("__import__('os').system", "got '.' at character 17"),
        ("[" * 2000, "at most 50 brackets"),
        ("f(" * 2000, "at most 50 brackets"),
    ],
)
def test_mistakes_are_one_line_with_the_position(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_position_of_a_nested_name() -> None:
    call = parse_call("interval(  cfg(4))")
    assert isinstance(call.args[0], Call)
    assert call.args[0].position == 11


def test_a_call_is_asked_for() -> None:
    with pytest.raises(UsageError, match="expected a name such as"):
        parse_call("4")


def test_a_number_too_long_for_an_integer() -> None:
    assert parse("9" * 5000) == math.inf


def test_numbers_are_bound_and_nothing_else() -> None:
    assert parse_call("f(1, b=2.5)").numbers(["a", "b"]) == {"a": 1, "b": 2.5}
    for text in ("f(true)", "f(none)", "f(g(2))", "f([1])"):
        with pytest.raises(UsageError, match="a of f must be a number"):
            parse_call(text).numbers(["a"])
