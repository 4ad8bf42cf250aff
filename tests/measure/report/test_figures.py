"""What is drawn: panels, plotly's figures and PNGs of them."""

from dataclasses import replace
from io import BytesIO

import plotly.graph_objects as go
import pytest
from PIL import Image

from frontiers import RULES, SCALES, evaluation, points
from lodestar.measure.report.content import Column, Value, content
from lodestar.measure.report.drawing import draw
from lodestar.measure.report.panels import DARK, LIGHT, SIGNS, axis, colour, costs, frontiers, measures, sign
from lodestar.measure.report.plots import SYMBOLS, plot, shown
from lodestar.measure.setting import Setting


@pytest.fixture
def found(tmp_path):
    return content([points(tmp_path / "made.jsonl")])


@pytest.fixture
def unscaled(tmp_path):
    """As compare leaves it: rules without a scale."""
    each = [replace(evaluation(r, 3.0), setting=Setting(r), facts={"rule": r}) for r in RULES]
    return content([points(tmp_path / "compared.jsonl", evaluations=each)])


def panels(found):
    return [*frontiers(found, found.pairs()), *measures(found), *costs(found)]


def coloured(value):
    """The figure with some colour for each that the page names."""
    if isinstance(value, dict):
        return {k: coloured(v) for k, v in value.items()}
    if isinstance(value, list):
        return [coloured(v) for v in value]
    return "#000000" if isinstance(value, str) and value.startswith("var(--") else value


def test_a_frontier_joins_each_rule_along_the_scale_and_rings_the_pareto_set(found):
    panel, _ = frontiers(found, found.pairs())
    assert [trace.name for trace in panel.traces] == found.lines
    for trace in panel.traces:
        assert [found.rows[m.row].scale for m in trace.marks] == sorted(SCALES)
    assert any(m.best for t in panel.traces for m in t.marks)
    drawn = plot(panel, found)["data"]
    for trace, figure in zip(panel.traces, drawn, strict=True):
        assert figure["customdata"] == [m.row for m in trace.marks]
        assert [size > 10 for size in figure["marker"]["size"]] == [m.best for m in trace.marks]


def test_a_metric_stands_against_the_scale_with_w_above(found):
    panel = measures(found)[0]
    layout = plot(panel, found)["layout"]
    below, above = layout["xaxis"], layout["xaxis2"]
    assert (below["tickvals"], below["range"]) == (above["tickvals"], above["range"])
    assert [float(b) - 1 for b in below["ticktext"]] == [float(a) for a in above["ticktext"]]
    assert "w = scale - 1" in above["title"]["text"]
    bars = plot(panel, found)["data"][0]["error_y"]
    marks = panel.traces[0].marks
    assert bars["array"] == pytest.approx([m.y.high - m.y.value for m in marks])
    assert bars["arrayminus"] == pytest.approx([m.y.value - m.y.low for m in marks])


def test_a_rule_without_scale_is_a_level_among_those_that_have_one(tmp_path):
    level = replace(evaluation("cfg", 3.0), setting=Setting("auto(2)"), facts={"rule": "auto(2)"})
    each = [evaluation("cfg", 1.0), evaluation("cfg", 4.0), level]
    found = content([points(tmp_path / "p.jsonl", evaluations=each)])
    panel = measures(found)[0]
    assert [trace.level for trace in panel.traces] == [False, True]
    drawn = plot(panel, found)["data"][1]
    assert drawn["x"] == [4.0, 1.0]
    assert drawn["y"][0] == drawn["y"][1] == level["FD"].value
    assert drawn["customdata"] == [2]


def test_without_any_scale_each_rule_is_named(unscaled):
    panel = measures(unscaled)[0]
    assert panel.kind == "names"
    layout = plot(panel, unscaled)["layout"]
    assert layout["yaxis"]["ticktext"] == unscaled.lines
    assert "xaxis2" not in layout
    places = [m.y.value for t in panel.traces for m in t.marks]
    assert places == sorted(places, reverse=True)  # the first on top


def test_a_point_without_a_metric_is_in_the_panels_of_the_others(tmp_path):
    whole = evaluation("cfg", 1.0)
    part = replace(evaluation("cfg", 2.0), numbers={"recall": whole["recall"]})
    found = content([points(tmp_path / "p.jsonl", evaluations=[whole, part])])
    count = {panel.y.name: sum(len(t.marks) for t in panel.traces) for panel in measures(found)}
    assert (count["FD-scenes"], count["recall-scenes"]) == (1, 2)


@pytest.mark.parametrize("which", ["found", "unscaled"])
def test_plotly_takes_every_figure(which, request):
    content = request.getfixturevalue(which)
    for panel in panels(content):
        go.Figure(coloured(plot(panel, content)))  # which refuses what it does not know


def test_one_point_alone_can_be_drawn(tmp_path):
    found = content([points(tmp_path / "p.jsonl", evaluations=[evaluation("cfg", 3.0)])])
    for panel in panels(found):
        go.Figure(coloured(plot(panel, found)))
    assert draw(panels(found)[1:3], found.lines, "one", {})


def test_a_png_has_all_panels_and_the_recipe(found, unscaled):
    sizes = []
    for some in (panels(found)[:1], panels(found)[1:6], panels(unscaled)[1:6]):
        image = Image.open(BytesIO(draw(some, found.lines, r"a $\frac{ title", {"command": "report"})))
        assert image.text["lodestar"] == '{"command": "report"}'
        sizes.append(image.size)
    assert sizes[1][0] > 2 * sizes[0][0]
    assert sizes[1] == sizes[2]


def test_axes_say_the_unit_and_which_way_is_better():
    assert axis(Column("FID", "FD", "lower")) == "FID  ↓ lower is better"
    assert axis(Column("recall", "recall", "higher", "0 to 1"), across=True) == "recall (0 to 1)  → higher is better"
    assert axis(Column("saturation", "saturation", "neither")) == "saturation"


def test_a_number_is_shown_with_its_interval_where_there_is_one():
    assert shown(Value(1.234, 1.0, 2.0)) == "1.234 [1, 2]"
    assert shown(Value(1.234, None, 2.0)) == "1.234"


def test_lines_differ_by_colour_or_sign():
    assert len({(colour(i), sign(i)) for i in range(len(LIGHT) * len(SIGNS))}) == len(LIGHT) * len(SIGNS)
    assert len(SIGNS) == len(SYMBOLS)


@pytest.mark.parametrize(("palette", "paper"), [(LIGHT, "#ffffff"), (DARK, "#15171a")])
def test_every_colour_stands_out_from_the_page(palette, paper):
    """At least 3 : 1, as WCAG 2.1 asks of graphics (1.4.11)."""
    for ink in palette:
        lighter, darker = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3


def luminance(colour):
    """Relative, by WCAG 2.1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(k * c for k, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
