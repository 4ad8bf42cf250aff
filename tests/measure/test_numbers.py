"""Every number has an interval that contains the truth as often as it says, and its value on every split."""

import math
from dataclasses import replace
from statistics import fmean

import pytest
import torch
from benches import Coloured, Colours, Telling, pictures

from lodestar.errors import UsageError
from lodestar.measure.gathering import Gathered, Gathering
from lodestar.measure.metrics import Moments, frechet, frechet_infinity, manifold
from lodestar.measure.numbers import METRICS, SHARES, Number, about, apart, better, called, numbers, plain
from lodestar.measure.reference import Reference, reference

REAL = reference(Coloured(300), Telling(), data="coloured", n=300)


def seen(images: torch.Tensor, splits: int = 5, each: int = 1, **others: torch.Tensor) -> Gathered:
    gathering = Gathering(Telling(), len(images), splits, each)
    gathering.add(images, torch.arange(len(images)) // each, lambda _: others)
    return gathering.done()


def test_every_metric_is_the_one_of_that_name() -> None:
    images = pictures(120, 5, brightness=0.8)
    right = (torch.arange(120) % 3 > 0).double()
    found = numbers(seen(images, each=2, **dict.fromkeys(SHARES, right)), REAL)
    assert set(METRICS) - set(found) == {"CLIP score"}
    features = Colours()(images)
    assert REAL.features is not None
    assert found["FD"].value == pytest.approx(frechet(Moments.of(features), REAL.moments))
    assert found["recall"].value == manifold(REAL.features, features).recall
    assert found["prompt accuracy"].value == pytest.approx(2 / 3)
    assert found["diversity"].value > 0
    assert found["IS"].value > 1
    assert all(len(number.splits) == 5 for number in found.values())
    assert all(number.low <= number.value <= number.high for number in found.values())


def test_intervals_stay_where_a_metric_can_be() -> None:
    found = numbers(seen(pictures(40, 3), splits=2), REAL)
    assert all(about(name).least <= n.low <= n.high <= about(name).most for name, n in found.items())
    assert found["recall"].high == 1


def test_a_share_that_is_the_same_in_all_splits_is_not_sure_for_that() -> None:
    found = numbers(seen(255 - pictures(40, 3, brightness=0.0) // 8), REAL)["precision"]
    assert set(found.splits) == {0.0} == {found.value}
    assert found.low == 0
    assert 0.08 < found.high < 0.1  # Wilson's of 0 of 40


def test_the_same_distribution_is_near_and_another_far() -> None:
    near, far = numbers(seen(pictures(200, 7)), REAL), numbers(seen(pictures(200, 7, brightness=0.5)), REAL)
    for metric in ("FD", "KD", "MIND", "recall", "coverage"):
        assert better(metric, near[metric].value, far[metric].value), metric
        assert not apart(near[metric], far[metric]).low <= 0 <= apart(near[metric], far[metric]).high, metric
    assert 0.3 < near["copying"].value < 0.7


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(40):
        values = torch.rand(100, generator=torch.Generator().manual_seed(seed)).double()
        number = numbers(_scored(values), None)["saturation"]
        inside += number.low <= 0.5 <= number.high
    assert 34 <= inside <= 40  # 38 of 40 expected


def made_up(real: torch.Tensor, n: int, seed: int, each: int = 1) -> dict[str, Number]:
    """Of features of the same distribution as the real ones, and a number that is alike within a prompt."""
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    common = torch.randn(n // each, generator=torch.Generator().manual_seed(seed + 1000))
    own = 0.6 * x[:, 0] + 0.8 * common.repeat_interleave(each)
    split, told = (
        torch.arange(n) * 10 // n,
        {"saturation": own.sigmoid().double(), "class accuracy": (own > 0).double()},
    )
    parts = tuple(Moments.of(x[split == i]) for i in range(10))
    reference = Reference({"data": "x", "split": "y"}, Moments.of(real), real)
    return numbers(Gathered((8, 8), parts, x, {}, told, torch.arange(n) // each, split, each), reference)


@pytest.mark.slow
def test_intervals_and_verdicts_are_right_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """95 of 100 intervals hold what is expected, and of pairs that are equal 5 of 100 are told apart."""
    monkeypatch.setattr("lodestar.measure.numbers.mind", lambda *_: 0.0)  # most of the time
    real, times = torch.randn(400, 4, generator=torch.Generator().manual_seed(99)), 60
    found = [made_up(real, 200, seed, each=5) for seed in range(2 * times)]
    for metric in ("FD", "FD infinity", "precision", "recall", "density", "coverage", "saturation", "class accuracy"):
        of = [each[metric] for each in found]
        mean = sum(number.value for number in of) / len(of)
        inside = sum(number.low <= mean <= number.high for number in of) / len(of)
        apart_ = [apart(a, b) for a, b in zip(of[::2], of[1::2], strict=True)]
        wrong = sum(not number.low <= 0 <= number.high for number in apart_) / times
        assert inside >= 0.89, metric
        assert wrong <= 0.12, metric  # 5 % expected; 7 of 60 by chance


def test_a_distance_spreads_as_that_of_all_samples_does_not_of_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal distributions a Frechet distance of a tenth is ten times as large, and spreads ten times as much."""
    monkeypatch.setattr("lodestar.measure.numbers.mind", lambda *_: 0.0)
    real = torch.randn(400, 4, generator=torch.Generator().manual_seed(99))
    found = [made_up(real, 200, seed)["FD"] for seed in range(12)]
    spread = torch.tensor([number.value for number in found]).std()
    assert torch.tensor([number.error for number in found]).mean() < 2 * spread


def normal(n: int, seed: int, dim: int = 16) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def distances(x: torch.Tensor, real: Moments) -> dict[str, Number]:
    split = torch.arange(len(x)) * 10 // len(x)
    parts = tuple(Moments.of(x[split == i]) for i in range(10))
    found = Gathered((8, 8), parts, x, {}, {}, torch.arange(len(x)), split)
    return numbers(found, Reference({"data": "x", "split": "y"}, real, None))


@pytest.mark.parametrize(("shift", "true"), [(0.0, 0.0), (0.25, 1.0)])
def test_what_infinitely_many_samples_would_show_has_no_bias_of_few(shift: float, true: float) -> None:
    """FD is 16 x shift^2, and of 200 samples 0.4 more; the line through parts says the same."""
    real, times = Moments.of(normal(50_000, 0)), 10
    sets = [normal(200, 1 + seed) + shift for seed in range(times)]
    found = [distances(x, real) for x in sets]
    few, many = (sum(each[metric].value for each in found) / times for metric in ("FD", "FD infinity"))
    error = sum(each["FD infinity"].error for each in found) / times
    assert few > true + 0.3
    assert abs(many - true) < 3 * error / times**0.5
    line = [frechet_infinity(x, real).value for x in sets]
    assert abs(many - fmean(line)) < 2 * error


def test_of_few_samples_nothing_is_extrapolated() -> None:
    real = Moments.of(normal(5000, 0))
    assert "FD infinity" not in distances(normal(35, 1), real)
    assert "FD infinity" in distances(normal(36, 1), real)  # 32 without a split of 4


def test_of_a_prompt_with_several_samples_the_prompt_counts() -> None:
    """Samples that are all alike within a prompt say no more than one of them."""
    values = (torch.arange(40) % 3 > 0).double()
    one, five = _scored(values), _scored(values.repeat_interleave(5), each=5)
    for name in ("prompt accuracy", "saturation"):
        a, b = numbers(one, None)[name], numbers(five, None)[name]
        assert (b.low, b.high) == pytest.approx((a.low, a.high)), name


def _scored(values: torch.Tensor, each: int = 1) -> Gathered:
    found = seen(pictures(len(values), 0), each=each)
    told = {"saturation": values, "prompt accuracy": (values > 0.5).double()}
    return replace(found, log_p={}, each=told)


def test_paired_differences_are_narrower() -> None:
    noise = torch.randn(10, generator=torch.Generator().manual_seed(0)).double()
    a = Number(1.0, 0, 2, tuple((1.0 + noise).tolist()))
    b = Number(0.9, 0, 2, tuple((0.9 + noise + 0.01 * torch.arange(10)).tolist()))
    found = apart(a, b)
    assert found.value == pytest.approx(0.1)
    assert found.high - found.low < 0.1 < a.error
    with pytest.raises(UsageError, match="not the same ones"):
        apart(a, Number(1.0, 0, 2, (1.0, 2.0)))


def test_without_a_reference_only_what_needs_none_is_told() -> None:
    assert set(numbers(seen(pictures(40, 0)), None)) == {"IS", "saturation", "clipped"}


def test_too_few_pictures_and_two_resolutions_are_refused() -> None:
    with pytest.raises(UsageError, match="19 pictures are too few to say anything: give at least 20"):
        numbers(seen(pictures(19, 0)), REAL)
    with pytest.raises(UsageError, match="16x16 pixels and those of the reference 8x8"):
        numbers(seen(pictures(40, 0, side=16)), REAL)


def test_moments_alone_give_the_distance_alone() -> None:
    found = numbers(seen(pictures(40, 0)), Reference({"data": "x", "split": "y"}, REAL.moments))
    assert "FD" in found
    assert "recall" not in found


def test_a_number_survives_json_even_without_an_interval() -> None:
    number = Number(1.5, math.nan, math.nan, (1.0,))
    again = Number.from_json(number.to_json())
    assert number.to_json()["low"] is None
    assert math.isnan(again.low)
    assert again.splits == (1.0,)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("FD", "FD"),
        ("fid", "FD"),
        ("FD-scenes", "FD"),
        ("KID", "KD"),
        ("FID infinity", "FD infinity"),
        ("FD infinity-scenes", "FD infinity"),
        ("Prompt Accuracy", "prompt accuracy"),
        ("IS", "IS"),
    ],
)
def test_metrics_by_the_names_people_use(name: str, metric: str) -> None:
    assert plain(name) == metric


def test_names_carry_the_detector_where_it_saw() -> None:
    assert called("FD", Colours()) == "FD-colours"
    assert called("prompt accuracy", Colours()) == "prompt accuracy"
    assert called("FD", Colours(name="inception")) == "FID"


def test_unknown_metrics_and_those_without_a_better_side() -> None:
    with pytest.raises(UsageError, match="there is no metric 'beauty': there are FD, FD infinity, KD"):
        plain("beauty")
    with pytest.raises(UsageError, match="there is no metric 'beauty'"):
        about("beauty")
    with pytest.raises(UsageError, match="neither more nor less saturation is better"):
        better("saturation", 1, 2)
    assert better("FD", 1, 2)
    assert better("recall", 0.5, 0.4)
