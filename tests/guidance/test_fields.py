import math
from dataclasses import dataclass

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.guidance import CFG, Interval, Number, PerSample, Rescale, take
from lodestar.guidance.fields import lengths, number, values, weight


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_by_name(bad):
    with pytest.raises(UsageError, match=f"^scale must be finite, got {bad}$"):
        CFG(bad)
    with pytest.raises(UsageError, match=f"^scale must be finite, got {bad}$"):
        CFG(torch.tensor([1.0, bad]))


@pytest.mark.parametrize("bad", ["4", True, None, [True], torch.tensor([True]), ["4"], 1j, [[1.0]]])
def test_what_is_no_number_is_refused_in_one_line(bad):
    with pytest.raises(UsageError, match=r"^scale must be finite, got ") as e:
        CFG(bad)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("bad", [[], torch.ones(2, 2), torch.ones(0)])
def test_wrong_shapes_are_refused(bad):
    with pytest.raises(UsageError, match=r"^scale must be a number, or one for each sample, got ") as e:
        CFG(bad)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("good", [-3, 0, 0.5, 1, torch.tensor(7.5), torch.tensor(2), torch.tensor(2.6).numpy()[()]])
def test_any_finite_number_is_legal_and_becomes_a_float(good):
    assert type(CFG(good).scale) is float
    assert CFG(good).scale == pytest.approx(float(good))


@pytest.mark.parametrize(
    "given", [[2.6, 6], (2.6, 6), torch.tensor([2.6, 6]), torch.tensor([2.6, 6]).double().round(decimals=1)]
)
def test_lists_and_tensors_become_the_same_values(given):
    assert CFG(given) == CFG([2.6, 6])
    assert CFG(given).scale == (2.6, 6.0)
    assert isinstance(CFG(given).scale, PerSample)


def test_an_infinite_bound_is_legal_where_the_field_says_so():
    assert number("hi", math.inf, (0, math.inf)) == math.inf
    with pytest.raises(UsageError, match=r"hi must lie in \[0, inf\], got nan"):
        number("hi", math.nan, (0, math.inf))


def test_range():
    with pytest.raises(UsageError, match=r"phi must lie in \[0, 1\], got 1.5"):
        Rescale(CFG(), phi=[0.5, 1.5])


def test_values_and_weight():
    x = torch.zeros(2, 3)
    assert torch.equal(values(CFG([2, 6]).scale), torch.tensor([2.0, 6.0], dtype=torch.float64))
    assert weight(CFG(2).scale, x) == 2.0
    assert isinstance(weight(CFG(2).scale, x), float)
    assert torch.equal(weight(CFG([2, 6]).scale, x), torch.tensor([2.0, 6.0], dtype=torch.float64))


def test_take_gives_a_part_of_the_batch_its_own_values():
    rule = Interval(Rescale(CFG([1, 2, 3]), phi=0.5), lo=[0.1, 0.2, 0.3])
    assert take(rule, slice(1, 3)) == Interval(Rescale(CFG([2, 3]), phi=0.5), lo=[0.2, 0.3])
    assert take(rule, [2, 0]) == Interval(Rescale(CFG([3, 1]), phi=0.5), lo=[0.3, 0.1])
    assert take(CFG(4), slice(1, 3)) == CFG(4)


def test_lengths_look_into_inner_rules():
    assert list(lengths(Interval(CFG([1, 2, 3]), hi=[5, 6]))) == [("scale", 3), ("hi", 2)]
    assert not list(lengths(Interval(CFG(3))))


@dataclass(frozen=True)
class Several:
    """A rule with several numbers in a field, and one for each sample among them."""

    bands: tuple[Number, ...] = (1.0, PerSample([1.0, 2.0, 3.0]))
    pairs: tuple[tuple[float, Number], ...] = ((0.1, 5.0), (0.2, PerSample([6.0, 7.0, 8.0])))


def test_what_is_for_each_sample_in_a_tuple_is_found_and_taken():
    rule = Several()
    assert list(lengths(rule)) == [("bands", 3), ("pairs", 3)]
    assert take(rule, [2, 0]) == Several((1.0, PerSample([3.0, 1.0])), ((0.1, 5.0), (0.2, PerSample([8.0, 6.0]))))
    assert isinstance(take(rule, slice(1, 3)).bands[1], PerSample)


def test_a_number_that_no_float_holds_is_refused():
    for value in (10**309, [1, -(10**309)]):
        with pytest.raises(UsageError, match=r"^scale must be finite, got a number of more than 308 digits$"):
            CFG(value)
