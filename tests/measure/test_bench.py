"""A bench draws the same samples for every setting, and tells what they are worth and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from benches import Coloured, Telling

from lodestar.conditions import ImageSchema, JointSchema, LabelSchema
from lodestar.data.scenes.render import render
from lodestar.data.scenes.source import ScenesSource
from lodestar.data.scenes.triples import instructions, triples
from lodestar.errors import UsageError
from lodestar.guidance import Tally
from lodestar.measure.asked import Asked, asked
from lodestar.measure.bench import Bench, splits_of
from lodestar.measure.numbers import apart
from lodestar.measure.reference import reference
from lodestar.measure.setting import Setting
from lodestar.measure.share import wilson
from lodestar.measure.sources import source
from lodestar.pictures import from_uint8, to_uint8
from lodestar.result import Result
from tiny import TEXT, tiny

COLOURS = LabelSchema(("red", "green", "blue"))
REAL = reference(Coloured(100), Telling(), data="coloured", n=100)
MODEL = tiny(COLOURS)


def bench(n: int = 40, **options: object) -> Bench:
    options = {"batch": 16, "asked": asked(COLOURS, None, n), **options}
    return Bench(MODEL, Telling(), REAL, **options)  # type: ignore[arg-type]


def test_a_model_that_edits_is_asked_by_test_triples() -> None:
    parts = {"text": TEXT, "image": ImageSchema((3, 16, 16))}
    drawn = asked(JointSchema(parts), source("edits", 16), 3, seed=5)
    expected = triples(3, start=5)
    assert [each["text"] for each in drawn.prompts] == instructions(expected)
    for each, pixels in zip(drawn.prompts, render(expected.before, 16), strict=True):
        assert torch.equal(each["image"], from_uint8(torch.from_numpy(pixels)))


@dataclass(frozen=True)
class Lazy:
    """An editor that gives back what it was given."""

    name = "lazy"

    def sample(self, prompts: Sequence[Mapping[str, Any]], *, n: int, seed: Sequence[int], **_: object) -> Result:
        given = [prompt for prompt in prompts for _ in range(n)]
        images = to_uint8(torch.stack([prompt["image"] for prompt in given])).movedim(1, -1)
        return Result(images, list(seed), Tally(len(given)), 0.0, {}, [{"text": p["text"], "image": ""} for p in given])


def test_each_edit_is_judged_beside_its_own_picture() -> None:
    schema = JointSchema({"text": TEXT, "image": ImageSchema((3, 32, 32))})
    drawn = asked(schema, source("edits", 32), 300, each=2)  # in two parts
    found = Bench(Lazy(), Telling(size=(3, 32, 32)), None, drawn)(Setting("cfg(1)"))
    assert found["edit accuracy"].value == 0
    assert found["untouched"].value == 1
    assert found["untouched"].low == wilson(150, 150)[0]


def test_edits_are_told_apart_by_the_middle_of_their_pictures() -> None:
    first, other = torch.zeros(3, 64, 64), torch.zeros(3, 64, 64)
    other[:, 30, 30] = 1
    one, two = (Asked(({"text": "move it", "image": image},), "given") for image in (first, other))
    assert one.digest != two.digest


def test_a_setting_is_measured_with_its_cost() -> None:
    found = bench()(Setting("cfg(2)", steps=3))
    assert found.samples == 40
    assert found.evaluations == 6
    assert found.seconds > 0 < found.looking
    assert {"FD", "recall", "class accuracy", "saturation"} <= set(found.numbers)
    assert found.setting == Setting("cfg(2)", steps=3)


def test_neither_batches_nor_chunks_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bench()(Setting("cfg(2)", steps=2))
    monkeypatch.setattr("lodestar.measure.bench.CHUNK", 7)
    parts = bench(batch=5)(Setting("cfg(2)", steps=2))
    for name, number in whole.numbers.items():
        assert parts[name].value == pytest.approx(number.value, rel=1e-2), name  # pixels may round the other way


def test_settings_are_paired() -> None:
    a, b = bench()(Setting("cfg(2)", steps=2)), bench()(Setting("cfg(2)", steps=2))
    assert apart(a["FD"], b["FD"]).value == 0
    assert apart(a["FD"], b["FD"]).high == 0


def test_the_first_samples_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[torch.Tensor] = []
    look = Telling.__call__
    monkeypatch.setattr(Telling, "__call__", lambda self, images: drawn.append(images) or look(self, images))
    bench()(Setting(steps=2), n=20)
    assert torch.cat(drawn).shape[0] == 20
    first = torch.cat(drawn)
    drawn.clear()
    bench()(Setting(steps=2))
    assert (first.int() - torch.cat(drawn)[:20].int()).abs().max() <= 1


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    bench()(Setting(steps=1), on_samples=lambda done, total: told.append((done, total)))
    assert told == [(40, 40)]


def test_prompts_of_scenes_are_judged_by_the_reader() -> None:
    model = tiny(TEXT, shape=(3, 16, 16))
    drawn = asked(TEXT, ScenesSource(16), 20, each=2, seed=3)
    with pytest.warns(UserWarning, match="never saw"):
        found = Bench(model, Telling(size=(3, 16, 16)), None, drawn)(Setting("cfg(1)", steps=1))
    assert found["prompt accuracy"].value == 0
    assert "diversity" in found.numbers
    assert "FD" not in found.numbers


def test_another_seed_asks_other_prompts_and_draws_other_noise() -> None:
    a, b = (asked(TEXT, ScenesSource(16), 20, seed=seed) for seed in (0, 1000))
    assert set(a.prompts).isdisjoint(b.prompts) or a.prompts != b.prompts
    assert [seeds for _, seeds in a.parts(100)] != [seeds for _, seeds in b.parts(100)]


def test_the_seeds_of_all_samples_are_different() -> None:
    drawn = Asked(("a", "b", "c"), "given", seed=5, each=4)
    first = [seed for _, seeds in drawn.parts(4) for seed in seeds]
    assert first == [5, 9, 13]
    assert len(drawn) == 12
    assert drawn.first(5).prompts == ("a", "b")
    with pytest.raises(UsageError, match="there are 12 samples"):
        drawn.first(13)


def test_labels_are_balanced_or_drawn() -> None:
    balanced, drawn = asked(COLOURS, None, 30), asked(COLOURS, None, 30, labels="drawn")
    assert [balanced.prompts.count(c) for c in COLOURS.classes] == [10, 10, 10]
    assert drawn.policy == "classes drawn"
    assert set(drawn.prompts) == set(COLOURS.classes)
    assert drawn.prompts == asked(COLOURS, None, 30, labels="drawn").prompts
    assert drawn.prompts != asked(COLOURS, None, 30, labels="drawn", seed=1).prompts


def test_texts_come_from_the_data_or_are_given() -> None:
    assert len(set(asked(TEXT, Coloured(), 100).prompts)) == 100
    assert asked(TEXT, None, 5, prompts=["a", "b"]).prompts == ("a", "b", "a", "b", "a")
    assert asked(None, None, 3).prompts == (None, None, None)
    with pytest.raises(UsageError, match="no captions to ask for: give prompts"):
        asked(TEXT, None, 5)
    with pytest.raises(UsageError, match="whole number of prompts, each with 4, got 6"):
        asked(TEXT, Coloured(), 6, each=4)


def test_few_samples_are_cut_into_few_splits() -> None:
    assert [splits_of(n) for n in (15, 30, 60, 1000)] == [2, 3, 6, 10]


def test_a_measurement_goes_on_and_draws_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    look = Telling.__call__
    monkeypatch.setattr(Telling, "__call__", lambda self, images: drawn.append(len(images)) or look(self, images))
    setting = Setting("cfg(2)", steps=2)
    growing = list(bench(80).growing(setting, [20, 40, 80]))
    assert drawn == [20, 20, 40]
    assert [each.samples for each in growing] == [20, 40, 80]
    assert {each.evaluations for each in growing} == {4}
    for each in growing:
        alone = bench(80)(setting, n=each.samples)
        assert set(each.numbers) == set(alone.numbers)
        for name, number in alone.numbers.items():
            assert each[name].value == pytest.approx(number.value, rel=1e-2), name  # pixels may round the other way
            assert each[name].splits == pytest.approx(number.splits, rel=5e-2, abs=1e-3, nan_ok=True), name
        assert apart(each["FD"], alone["FD"]).value == pytest.approx(0, abs=1e-2)


def test_what_nobody_asks_for_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    look = Telling.__call__
    monkeypatch.setattr(Telling, "__call__", lambda self, images: drawn.append(len(images)) or look(self, images))
    next(bench(80).growing(Setting(steps=2), [20, 80]))
    assert drawn == [20]


def test_the_price_of_a_picture_is_known_by_one() -> None:
    assert bench().rows(Setting("cfg(2)", steps=3)) == 6
    assert bench().rows(Setting("cfg(1)", steps=3)) == 3
