"""The grid of a sweep, and its file of points."""

import json
from math import inf

import pytest
from PIL import Image

from bowl import Bowl
from lodestar.errors import UsageError
from lodestar.guidance import parse
from lodestar.measure.points import Points
from lodestar.measure.sweep import First, grid, interval, neutral, sweep


def keys(plan):
    return [point.setting.key for point in plan]


def test_every_point_has_its_setting_and_its_facts():
    plan = grid(["cfg", "rescale(cfg, phi=.5)"], [2, 3], [None, (0.2, 3.0)], [10, 20], sampler="ddim", levels="u")
    assert len(plan) == len(set(keys(plan))) == 16
    assert plan[0].setting.key == "guidance cfg(2) | sampler ddim | steps 10 | grid u"
    assert plan[0].facts == {"rule": "cfg", "scale": 2, "w": 1, "interval": None}
    assert plan[7].setting.guidance == "interval(rescale(cfg(3), phi=0.5), lo=0.2, hi=3)"
    assert plan[7].facts == {"rule": "rescale(cfg, phi=0.5)", "scale": 3, "w": 2, "interval": [0.2, 3]}
    assert [p.setting.steps for p in plan] == 8 * [10] + 8 * [20]


def test_equal_settings_are_one_point():
    assert [p.setting.guidance for p in grid(["cfg", "cfg(9)"], [1, 1.0], [None, (0.2, inf)], [4])] == ["cfg(1)"]
    plan = grid(["cfg"], [1, 2], [None, (0.2, inf)], [4])
    assert [p.setting.guidance for p in plan] == ["cfg(1)", "cfg(2)", "interval(cfg(2), lo=0.2, hi=inf)"]
    assert plan[0].facts["interval"] is None
    assert plan[2].facts["interval"] == [0.2, None]


def test_without_scales_each_rule_is_as_it_is_written():
    plan = grid(["cfg(3)", "cfgpp(.4)", "interval(cfg(2))"], None, [None], [4])
    assert [p.facts["rule"] for p in plan] == ["cfg", "cfgpp(0.4)", "interval(cfg)"]
    assert [p.facts["scale"] for p in plan] == [3, None, 2]
    assert [p.facts["w"] for p in plan] == [2, None, 1]


@pytest.mark.parametrize(
    ("rule", "is_so"),
    [
        ("cfg(1)", True),
        ("apg(1)", True),
        ("cfg(2)", False),
        ("rescale(cfg(1), phi=.5)", False),
        ("rescale(cfg(1), phi=0)", True),
        ("cfgpp(0)", False),
        ("cfgzero(1, zero_steps=1)", False),
    ],
)
def test_what_does_nothing_is_known(rule, is_so):
    assert neutral(parse(rule)) is is_so


@pytest.mark.parametrize(
    ("text", "bounds"), [("0.2:3", (0.2, 3)), (":3", (0, 3)), (".2:", (0.2, inf)), ("none", None), ("None", None)]
)
def test_intervals_are_read(text, bounds):
    assert interval(text) == bounds


@pytest.mark.parametrize("text", ["3", "a:b", "1:2:3", ""])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(UsageError, match="an interval is two noise levels"):
        interval(text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scales": []}, "--scales is empty"),
        ({"rules": []}, "--guidance is empty"),
        ({"intervals": []}, "--intervals is empty"),
        ({"rules": ["cgf"]}, "did you mean 'cfg'"),
        ({"rules": ["cfgpp"]}, "cfgpp has none"),
        ({"intervals": [(3.0, 0.2)]}, "lo must be at most hi"),
    ],
)
def test_mistakes_are_found_before_anything_runs(given, said):
    asked = {"rules": ["cfg"], "scales": [2.0], "intervals": [None], "steps": [4], **given}
    with pytest.raises(UsageError, match=said):
        grid(**asked)


def test_a_killed_sweep_goes_on_where_it_was(tmp_path):
    plan, path = grid(["cfg"], [1, 2, 3, 4], [None], [4]), tmp_path / "sweep.jsonl"
    points = Points.open(path, {"n": 100})
    sweep(Bowl(), plan[:2], points)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"setting": {"guidance": "cfg(3)", "sam')
    bench = Bowl()
    with pytest.warns(UserWarning, match="half a line"):
        points = Points.open(path, {"n": 100})
    found = sweep(bench, plan, points)
    assert [key for key, _ in bench.asked] == keys(plan)[2:]
    assert [e.facts["scale"] for e in found] == [1, 2, 3, 4]
    assert [e["FD"].value for e in found] == [9, 6, 5, 6]
    assert path.read_bytes().startswith(whole)
    assert list(Points.read(path)) == found


def test_the_first_pictures_of_each_point_lie_beside_the_file(tmp_path):
    plan = grid(["cfg"], [1, 2], [None], [4])
    first = First()
    found = sweep(Bowl(on_images=first), plan, Points.open(tmp_path / "a.jsonl", {}), first=first)
    names = [e.facts["strip"] for e in found]
    assert len(set(names)) == 2
    assert all(name.startswith("a.strips/") for name in names)
    for scale, name in enumerate(names, 1):
        with Image.open(tmp_path / name) as drawn:
            assert drawn.width == 8 * 64 + 7 * 4 + 2 * 10
            assert drawn.getpixel((20, 20)) == (20 * scale,) * 3
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[1])["facts"]["strip"] == names[0]


def test_without_pictures_there_is_no_folder(tmp_path):
    [found] = sweep(Bowl(), grid(["cfg"], [2], [None], [4]), Points.open(tmp_path / "a.jsonl", {}))
    assert "strip" not in found.facts
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_point_is_told_before_it_is_measured(tmp_path):
    told = []

    def on_point(point):
        told.append(point.setting.guidance)
        return lambda done, of: told.append((done, of))

    sweep(Bowl(), grid(["cfg"], [1, 2], [None], [4]), Points.open(tmp_path / "a.jsonl", {}), on_point)
    assert told == ["cfg(1)", (100, 100), "cfg(2)", (100, 100)]
