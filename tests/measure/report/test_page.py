"""The page: whole, safe whatever the files say, and alone."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest
from PIL import Image

from frontiers import PROTOCOL, RULES, evaluation, points
from lodestar.measure.report import page as page_module
from lodestar.measure.report import strips as strips_module
from lodestar.measure.report.content import content
from lodestar.measure.report.page import page
from lodestar.measure.report.sheet import sheet
from lodestar.measure.setting import Setting

BAD = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u2028"
PLOTLY = "/* all of plotly */"


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Without plotly's own five million characters, but where they matter."""
    monkeypatch.setattr(page_module, "script", lambda: PLOTLY)


class Tags(HTMLParser):
    """Every element with its attributes, and the texts of scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.lasttag == "script" and self.scripts:
            self.scripts[-1] += text

    def data(self):
        return json.loads(self.scripts[0])


def made(path, **more):
    found = content([points(path, **more)])
    return Tags(page(found, found.pairs(), "Title")), found


def test_it_loads_nothing(tmp_path):
    tags, _ = made(tmp_path / "made.jsonl", strips=True)
    assert not [tag for tag, _ in tags.found if tag in ("link", "iframe", "object", "embed", "base")]
    assert all("src" not in attrs for _, attrs in tags.found)
    links = [(tag, attrs["href"]) for tag, attrs in tags.found if "href" in attrs]
    assert links
    assert all(tag == "a" and href.startswith("https://arxiv.org/abs/") for tag, href in links)
    own = "".join(page_module._read(name) for name in ("page.css", "page.js"))
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp", own)
    [policy] = [a["content"] for t, a in tags.found if t == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_everything_is_on_it(tmp_path):
    path = tmp_path / "made.jsonl"
    found = content([points(path)])
    text = page(found, found.pairs(), "Title")
    for words in (
        "<title>Title</title>",
        "FD-scenes against recall-scenes",
        "test prompts of scenes",
        "fedcba9876543210",
        "<th>sampler</th><td>ddim</td>",
        "<th>steps</th><td>32</td>",
    ):
        assert words in text
    assert 'href="https://arxiv.org/abs/2305.08891"' in text  # of rescale
    tags = Tags(text)
    assert len([a for _, a in tags.found if a.get("class") == "plot"]) == len(tags.data()["figures"]) == 2 + 6 + 2
    assert len([a for _, a in tags.found if "data-point" in a]) == len(tags.data()["points"]) == len(found.rows)
    assert len([a for _, a in tags.found if "data-line" in a]) == len(RULES)
    assert text.count("★</td>") == sum(
        1 for f in tags.data()["figures"][:2] for t in f["data"] for s in t["marker"]["size"] if s > 10
    )


def test_what_files_say_is_never_markup(tmp_path):
    facts = {"rule": BAD, "scale": 2.0, "strip": BAD}
    bad = replace(
        evaluation("cfg", 2.0), setting=Setting(BAD, BAD), facts=facts, numbers={BAD: evaluation("cfg", 2.0)["FD"]}
    )
    good = replace(
        bad, setting=Setting("cfg(2)"), facts={"rule": "cfg", "scale": 1.0}, numbers=evaluation("cfg", 2.0).numbers
    )
    with pytest.warns(UserWarning, match="1 of 1 strips"):
        tags, _ = made(tmp_path / "bad.jsonl", evaluations=[bad, good], protocol={**PROTOCOL, BAD: [BAD]})
    assert len(tags.scripts) == 3
    assert not [attrs for tag, attrs in tags.found if tag == "img" or any(name.startswith("on") for name in attrs)]
    assert BAD in tags.data()["points"][0]["line"]  # which is only ever set as text
    texts = json.dumps(tags.data()["figures"])
    assert "<img" not in texts
    assert "&lt;img" in texts  # for plotly takes some markup
    assert "alert(1)" not in "".join(tags.scripts[1:])


def test_strips_are_inside_and_a_missing_one_is_no_error(tmp_path):
    path = points(tmp_path / "made.jsonl", strips=True)
    (tmp_path / "made.strips" / "0-3.png").unlink()
    (tmp_path / "made.strips" / "1-3.png").write_text("no picture")
    found = content([path])
    with pytest.warns(UserWarning, match="2 of 18 strips are missing"):
        tags = Tags(page(found, found.pairs(), "Title"))
    uris = [point["strip"] for point in tags.data()["points"]]
    assert [i for i, uri in enumerate(uris) if uri is None] == [3, 9]
    assert all(uri is None or uri.startswith("data:image/png;base64,") for uri in uris)


def test_many_strips_are_made_smaller_to_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(strips_module, "ROOM", 18 * 2000)
    folder = tmp_path / "noisy.strips"
    folder.mkdir()
    for i in range(18):
        Image.effect_noise((200, 100), 80).save(folder / f"{i}.png")
    each = [evaluation("cfg", 1.0 + i, strip=f"noisy.strips/{i}.png") for i in range(18)]
    tags, _ = made(tmp_path / "noisy.jsonl", evaluations=each)
    uris = [point["strip"] for point in tags.data()["points"]]
    assert all(uri.startswith("data:image/webp") for uri in uris)
    assert sum(map(len, uris)) < 18 * 2000 * 1.4


def test_without_two_metrics_to_weigh_the_rest_is_there(tmp_path):
    each = [replace(evaluation("cfg", 2.0), numbers={"saturation": evaluation("cfg", 2.0)["saturation"]})]
    tags, found = made(tmp_path / "made.jsonl", evaluations=each)
    assert found.pairs() == []
    assert len(tags.data()["figures"]) == 3  # saturation, evaluations, seconds


def test_the_sheet_has_every_number_and_no_formula(tmp_path):
    path = points(tmp_path / "made.jsonl", strips=True)
    points(
        path, evaluations=[replace(evaluation("cfg", 9.0), setting=Setting("=1+1"), facts={"rule": "@x"}, numbers={})]
    )
    found = content([path])
    rows = list(csv.DictReader(StringIO(sheet(found, found.pairs()).decode())))
    assert len(rows) == len(found.rows) == 19
    for row, kept in zip(rows[:18], found.rows, strict=False):
        assert float(row["scale"]) - 1 == float(row["w"])
        assert float(row["FD-scenes"]) == kept.evaluation["FD"].value
        assert float(row["FD-scenes error"]) == pytest.approx(kept.evaluation["FD"].error)
        assert float(row["seconds"]) == kept.evaluation.seconds
    assert {row["pareto FD-scenes/recall-scenes"] for row in rows} == {"0", "1"}
    assert (rows[18]["guidance"], rows[18]["rule"], rows[18]["FD-scenes"], rows[18]["scale"]) == (
        "'=1+1",
        "'@x",
        "",
        "",
    )
