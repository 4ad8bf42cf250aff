"""Rules that ask for more than a condition, from prompts to pictures: `lodestar.sample` runs in inference mode."""

import pytest
import torch

import lodestar
from asking import Measured, OfLevel, OfNet
from lodestar.errors import UsageError
from lodestar.guidance import Rule, guide
from lodestar.pictures import to_uint8
from lodestar.process import levels
from lodestar.samplers.ddim import ddim
from tiny import tiny


@pytest.mark.parametrize("trained", [False, True])
def test_a_rule_pulls_back_through_a_model_in_a_job(trained):
    """As it does outside of inference mode, whether or not the weights are frozen."""
    model = tiny()
    model.network.requires_grad_(trained)
    result = lodestar.sample(model, "a green star", n=2, guidance=Measured(), seed=3)
    assert result.evaluations == 2 * 3
    assert not any(p.grad is not None for p in model.network.parameters())
    grid = levels(model.process, 3)
    noise = lodestar.Noise([3, 4])
    with torch.no_grad():
        condition = model.schema.encode(["a green star"] * 2)
        g = guide(Measured(), model, condition)
        x = ddim(g, noise.normal(-1, 0, model.shape), grid)
    assert (g.evaluations, g.tally.backwards, g.calls) == (6, 6, 3)
    assert torch.equal(to_uint8(x).permute(0, 2, 3, 1), result.images)
    assert not torch.equal(result.images, lodestar.sample(model, "a green star", n=2, guidance=1, seed=3).images)


@pytest.mark.parametrize(("rule", "rows"), [(OfLevel(2.0), 4), (Measured(), 2)])
@pytest.mark.parametrize("prompt", ["a green star", None])
def test_a_rule_that_needs_no_prompt_guides_without_one(rule: Rule, rows: int, prompt: str | None):
    """A Model knows its process, so that rules may ask at other levels of it."""
    found, plain = (lodestar.sample(tiny(), prompt, n=2, guidance=g) for g in (rule, 1))
    assert (found.evaluations, plain.evaluations) == (3 * rows, 3 * 2)
    assert not torch.equal(found.images, plain.images)


def test_what_a_model_cannot_give_is_said_in_one_line():
    with pytest.raises(UsageError, match="needs a network named 'weak'"):
        lodestar.sample(tiny(), "a green star", guidance=OfNet())
