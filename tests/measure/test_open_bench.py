"""A bench in one call: the data, detector and prompts that belong to a model, and what tells two measurements apart."""

from pathlib import Path

import pytest
import torch
from benches import Colours
from PIL import Image

from lodestar.conditions import LabelSchema
from lodestar.errors import UsageError
from lodestar.measure.opening import open_bench
from lodestar.measure.points import Points
from lodestar.measure.setting import Evaluation, Setting
from tiny import TEXT, tiny

COLOURS = LabelSchema(("red", "green", "blue"))
SEES = Colours(size=(3, 16, 16))
POINT = Evaluation(Setting("cfg(2)"), {}, 20, 40.0)


@pytest.fixture(name="opened")
def _opened(tmp_path: Path):
    """Opens a bench of a tiny model that was trained on scenes."""
    model = tiny(TEXT, shape=(3, 16, 16), card={"recipe": {"source": {"source": "scenes"}}})

    def opened(**options: object):
        asked = {"detector": SEES, "n": 20, "reference_n": 30, "cache": tmp_path / "cache", **options}
        return open_bench(asked.pop("model", model), **asked)  # type: ignore[arg-type]

    return opened


@pytest.mark.filterwarnings("ignore:the model never saw", "ignore:a text of more than")
def test_a_model_and_nothing_else_is_measured_on_what_it_was_trained_on(opened) -> None:
    bench, protocol = opened()
    assert protocol["reference"]["data"] == "scenes"
    assert protocol["samples"] == len(bench.asked) == 20
    assert protocol["detector"]["name"] == "colours"
    assert {"FD", "prompt accuracy"} <= set(bench(Setting("cfg(2)", steps=1)).numbers)


def test_what_is_not_known_is_asked_for(opened) -> None:
    with pytest.raises(UsageError, match="data of 'plain' is not here: give real pictures"):
        opened(model=tiny(TEXT, shape=(3, 16, 16), name="plain"))
    with pytest.raises(UsageError, match="say which detector looks at 'pictures'"):
        opened(detector=None, reference="pictures")


@pytest.mark.parametrize(
    "other",
    [{"n": 30}, {"seed": 1}, {"prompts": ["a", "c"]}, {"reference_n": 40}, {"others": {"named": {"b": "a star"}}}],
    ids=["n", "seed", "prompts", "reference", "others"],
)
def test_points_measured_otherwise_are_not_gone_on_with(opened, tmp_path: Path, other: dict[str, object]) -> None:
    plain = {"prompts": ["a", "b"]}
    Points.open(tmp_path / "points.jsonl", opened(**plain)[1]).add(POINT)
    Points.open(tmp_path / "points.jsonl", opened(**plain)[1])
    with pytest.raises(UsageError, match="was measured otherwise"):
        Points.open(tmp_path / "points.jsonl", opened(**{**plain, **other})[1])


def test_another_net_of_the_same_name_is_told_apart(opened) -> None:
    nets = [tiny(TEXT, shape=(3, 16, 16)) for _ in range(2)]
    torch.nn.init.ones_(next(nets[1].network.parameters()))
    one, two = (opened(others={"nets": {"weak": net}})[1]["others"]["nets"]["weak"] for net in nets)
    assert one["name"] == two["name"]
    assert one["digest"] != two["digest"]


def test_pictures_that_changed_are_another_reference_however_their_folder_is_called(
    opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for i in range(6):
        _picture(tmp_path / "real", i)
    before = opened(reference="~/real", prompts=["a"])
    _picture(tmp_path / "real", 0, seed=9)
    after = opened(reference="~/real", prompts=["a"])
    assert before[1]["reference"]["digest"] != after[1]["reference"]["digest"]
    assert not before[0].reference.moments.mean.equal(after[0].reference.moments.mean)


def _picture(folder: Path, number: int, seed: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    pixels = torch.randint(0, 256, (16, 16, 3), generator=torch.Generator().manual_seed(number + 100 * seed))
    Image.fromarray(pixels.to(torch.uint8).numpy()).save(folder / f"{number}.png")


def test_another_batch_goes_on(opened, tmp_path: Path) -> None:
    Points.open(tmp_path / "points.jsonl", opened()[1]).add(POINT)
    with pytest.warns(UserWarning, match="was begun otherwise: batch 64"):
        Points.open(tmp_path / "points.jsonl", opened(batch=8)[1])


def test_labels_are_drawn_for_models_of_classes_alone(opened) -> None:
    with pytest.raises(UsageError, match="leave --labels out"):
        opened(labels="drawn")
    drawn = opened(model=tiny(COLOURS, shape=(3, 16, 16)), labels="drawn", reference="scenes")
    assert drawn[1]["prompts"] == "classes drawn"
