"""The table of what a difference of texts does counts what the reader sees."""

import torch

from benchmarks.steering import Row, circles, table
from lodestar.data.scenes.render import render
from lodestar.data.scenes.world import COLOURS, SHAPES, draw


def test_circles_are_told_by_their_colours() -> None:
    drawn = draw(torch.arange(400).numpy())
    found = circles(torch.from_numpy(render(drawn, 32)).movedim(1, -1))
    alone = (drawn.count == 1) & (drawn.shape[:, 0] == SHAPES.index("circle"))
    expected = [list(COLOURS)[c] if one else "" for one, c in zip(alone, drawn.colour[:, 0], strict=True)]
    assert [f for f, e in zip(found, expected, strict=True) if f != e] == []
    assert circles(torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)) == [None, None]


def test_the_table_has_a_row_for_each_strength() -> None:
    lines = table([Row(4.0, ["red", "red", "blue", "", None], 40, 20)], "tiny").splitlines()
    assert lines[0].startswith("`tiny`")
    assert lines[-1].startswith("| 4 | 40% (")
    assert lines[-1].endswith("| 60% | 20% | 40 + 20 |")
