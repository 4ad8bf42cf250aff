"""What a model reads of its prompts: the lies are lies, and a model is caught by what it reads."""

from dataclasses import dataclass, replace

import pytest
import torch

from benchmarks.reading import TOGETHER, error, scenes, table
from lodestar.core import Prediction
from lodestar.data.scenes.captions import parse
from lodestar.data.scenes.reader import accepts
from lodestar.pictures import to_uint8
from tiny import tiny


def test_lies_are_of_the_same_grammar_and_false() -> None:
    x0, prompts = scenes(2, 40, 32)
    pictures = to_uint8(x0).numpy()
    assert accepts(pictures, prompts).mean() > 0.9
    for name, lie in TOGETHER.items():
        told = [str(lie(claim)) for p in prompts if (claim := parse(p))]
        same = [a == b for a, b in zip(told, prompts, strict=True)]
        assert sum(same) < len(same) / 2, name  # trading with an equal changes nothing
        caught = ~accepts(pictures, told)
        assert all(c or s or "traded" in name for c, s in zip(caught, same, strict=True))


@dataclass(frozen=True)
class Told:
    """Draws one of two pictures, by a bit of the prompt's tokens."""

    model: object

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def __call__(self, x: torch.Tensor, level: object, condition: object) -> Prediction:
        bit = condition.ids.sum(1) % 2  # type: ignore[attr-defined]
        return Prediction(bit.reshape(-1, 1, 1, 1).float().expand_as(x), x)


@pytest.mark.filterwarnings("ignore:a text of more than 8 tokens")
def test_the_error_is_of_the_prompt_that_is_told() -> None:
    model = Told(tiny())
    x0, prompts = scenes(1, 30, 16)
    assert error(model, x0, prompts, 0.8) == error(model, x0, prompts, 0.8)  # type: ignore[arg-type]
    assert error(model, x0, prompts, 0.8) != error(model, x0, prompts[::-1], 0.8)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:a text of more than 8 tokens")
@pytest.mark.parametrize("objects", [1, 2, 3])
def test_a_table_has_a_row_for_each_time(objects: int) -> None:
    model = replace(tiny(), shape=(3, 16, 16))
    lines = table(model, objects, 8)
    assert len(lines) == 7
    assert len({line.count("|") for line in lines}) == 1
