"""The page: one HTML file with its style, its script, plotly and all pictures in it. It loads nothing.

Everything that comes from files is escaped: as HTML here, in the data of the script as JSON without "<", and in plots
by plots.py. Should anything slip through, the policy in the head lets it load nothing either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...citing import Citation, citations
from .content import APART, Column, Content, Row
from .panels import DARK, LIGHT, Panel, arrow, colour, costs, frontiers, measures, sign
from .pareto import pareto
from .plots import at, plot, script, shown
from .strips import strips

POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
Pairs = Sequence[tuple[Column, Column]]


def page(content: Content, pairs: Pairs, title: str) -> str:
    """The whole file. `pairs` are the metrics (x, y) that are weighed against each other."""
    groups = {"frontier": frontiers(content, pairs), "metrics": measures(content), "cost": costs(content)}
    figures = [plot(panel, content) for group in groups.values() for panel in group]
    data = {"figures": figures, "points": list(_points(content))}
    body = [
        _head(content, title),
        _legend(content),
        _section("Fidelity against diversity", _weighing(pairs), _plots(groups["frontier"], "plots wide")),
        _section("Each metric", ALONG if content.scales else BARS, _plots(groups["metrics"])),
        _section("Cost", "", _plots(groups["cost"])),
        _section("All points", TABLE, _table(content, pairs)),
        _section("How it was measured", "", "".join(_protocols(content))),
        _section("Rules and samplers used", "", _citations(content)),
        DIALOG,
        f'<script type="application/json" id="data">{_json(data)}</script>',
        f"<script>{script()}</script>",
        f"<script>{_read('page.js')}</script>",
    ]
    return HEAD.format(policy=POLICY, title=escape(title), style=_colours(content) + _read("page.css")) + "\n".join(
        body
    )


HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}</style>
"""
BARS = "Bars are 95 % intervals."
ALONG = f"""{BARS} A scale of 1 is no guidance; w = scale - 1 is the strength of the paper on
classifier-free guidance (<a href="https://arxiv.org/abs/2207.12598">arXiv:2207.12598</a>). Dotted: rules without a
scale."""
TABLE = (
    "With 95 % intervals. ★ marks the Pareto set: points that no other one beats in both metrics, by measured values."
)
DIALOG = """<dialog aria-labelledby="which">
<form method="dialog"><button aria-label="close">✕</button></form>
<h2 id="which"></h2>
<p class="quiet"></p>
<div class="strips"></div>
</dialog>"""


# The parts from top to bottom.


def _head(content: Content, title: str) -> str:
    rows, lines = len(content.rows), len(content.lines)
    samples = sorted({row.evaluation.samples for row in content.rows})
    each = f"{samples[0]:,}" if len(samples) == 1 else f"{samples[0]:,} to {samples[-1]:,}"
    told = f"{rows} {_plural('point', rows)} in {lines} {_plural('line', lines)}, {each} pictures each."
    cautions = "".join(f'<p class="caution">{escape(line)}</p>' for line in content.cautions())
    script = "<noscript><p>Plots need JavaScript; the table does not.</p></noscript>"
    return f"<header><h1>{escape(title)}</h1><p>{told}</p>{cautions}{script}</header>"


def _plural(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"


def _legend(content: Content) -> str:
    """A button for each line, that hides it."""
    buttons = (
        f'<button data-line="{i}" aria-pressed="true"><span style="color: var(--line-{i})">{sign(i)}</span>'
        f" {escape(name)}</button>"
        for i, name in enumerate(content.lines)
    )
    return f'<nav class="lines" aria-label="lines, shown or hidden">{"".join(buttons)}</nav>'


def _weighing(pairs: Pairs) -> str:
    if not pairs:
        return "There are no two metrics here to weigh against each other."
    return """Points of a rule are joined along the scale, which stands at the ends. Ringed: the Pareto set. Click a
    point for its pictures, or open it from the table below."""


def _section(title: str, about: str, inner: str) -> str:
    return f'<section><h2>{title}</h2><p class="quiet">{about}</p>{inner}</section>' if inner or about else ""


def _plots(panels: Sequence[Panel], kind: str = "plots") -> str:
    drawn = (f'<figure><h3>{escape(p.title)}</h3><div class="plot"></div></figure>' for p in panels)
    return f'<div class="{kind}">{"".join(drawn)}</div>' if panels else ""


def _table(content: Content, pairs: Pairs) -> str:
    best = {f"★ {y.name}, {x.name}": set(pareto(content.rows, x, y)) for x, y in pairs}
    heads = ["point", *(["scale", "w"] if content.scales else []), *best]
    heads += [f"{c.name} {arrow(c)}" for c in content.columns]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "".join(_row(i, row, content, list(best.values())) for i, row in enumerate(content.rows))
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(i: int, row: Row, content: Content, best: Sequence[set[int]]) -> str:
    cells = [f'<button data-point="{i}">{escape(row.name)}</button>']
    cells += ["–" if v is None else f"{v:g}" for v in (row.scale, row.w)] if content.scales else []
    cells += ["★" if i in found else "" for found in best]
    cells += [_cell(row, column) for column in content.columns]
    kind = ' class="best"' if best and i in best[0] else ""
    return f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cell(row: Row, column: Column) -> str:
    if column.name not in row.values:
        return "–"
    value, _, interval = shown(row.values[column.name]).partition(" [")
    return f"{value}<small>{interval.rstrip(']')}</small>" if interval else value


def _protocols(content: Content) -> Iterator[str]:
    for path, protocol in content.files.items():
        told = {**dict(_settings(content, path)), **dict(_facts(protocol))}
        rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in told.items())
        yield f"<details{' open' * (len(content.files) == 1)}><summary>{escape(str(path))}</summary>"
        yield f'<table class="told">{rows}</table></details>'


def _settings(content: Content, path: Path) -> Iterator[tuple[str, str]]:
    """What the points of a file have of sampler, steps and grid: one of each, or several."""
    settings = [row.evaluation.setting for row in content.rows if row.source == path]
    for name in APART:
        found = dict.fromkeys(str(getattr(each, name) or "the model's own") for each in settings)
        yield name, ", ".join(found)


def _facts(protocol: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Name and value; those inside an object each for themselves."""
    for name, value in protocol.items():
        if isinstance(value, Mapping) and value:
            yield from _facts(value, f"{above}{name}, ")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _citations(content: Content) -> str:
    settings = [row.evaluation.setting for row in content.rows]
    used = [str(text) for s in settings for text in (s.guidance, s.sampler) if text is not None]
    used += [row.rule for row in content.rows]
    found = "".join(f"<li>{_citation(each)}</li>" for each in citations(dict.fromkeys(used)))
    return f"<ul>{found}</ul>" if found else ""


def _citation(found: Citation) -> str:
    text = escape(found.source)
    for paper in dict.fromkeys(found.arxiv):
        text = text.replace(f"arXiv:{paper}", f'<a href="https://arxiv.org/abs/{paper}">arXiv:{paper}</a>')
    return f"<b>{escape(found.name)}</b>: {text}"


# What the script reads.


def _points(content: Content) -> Iterator[dict[str, object]]:
    along = {line: content.along(line) for line in content.lines}
    for row, strip in zip(content.rows, strips(content.rows), strict=True):
        numbers = [f"{c.name} {shown(row.values[c.name])}" for c in content.columns if c.name in row.values]
        yield {"line": row.name, "at": at(row), "numbers": numbers, "strip": strip, "along": along[row.line]}


def _json(data: object) -> str:
    """JSON that no HTML can end."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _colours(content: Content) -> str:
    """The lines' colours in both modes, by the names --line-0, ..."""
    many = max(len(content.lines), 2)  # the page's own style uses the first two
    light, dark = ("".join(f"--line-{i}: {colour(i, inks)}; " for i in range(many)) for inks in (LIGHT, DARK))
    return f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"


def _read(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")
