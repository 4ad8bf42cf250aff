"""Rules that ask for more than a condition, from prompts to pictures: `lodestar.sample` runs in inference mode."""

from dataclasses import replace

import pytest
import torch

import lodestar
from asking import Classified, Measured, OfLevel, OfNet, Universal
from lodestar.conditions import LabelSchema, TextSchema, Tokenizer
from lodestar.errors import UsageError
from lodestar.guidance import ALL, Ask, Network, Rule, guide
from lodestar.pictures import to_uint8
from lodestar.process import levels
from lodestar.samplers.ddim import ddim
from tiny import INNER, TEXT, tiny


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


def weak():
    """The same kind of model, and another."""
    model = tiny()
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(0.7)
    return model


def test_another_model_by_name():
    result = lodestar.sample(tiny(), "a green star", n=2, guidance=OfNet(3.0), nets={"weak": weak()})
    alone = [tiny().sample("a green star", n=2, guidance=1).images, weak().sample("a green star", n=2).images]
    assert result.tally == lodestar.Tally(evaluations=12, calls=6)
    assert not any(torch.equal(result.images, images) for images in alone)
    assert result.recipe["nets"] == {"weak": "tiny"}
    same = lodestar.sample(tiny(), "a green star", n=2, guidance=OfNet(3.0), nets={"weak": tiny()})
    assert torch.equal(same.images, alone[0])


def test_another_model_is_found_by_every_chunk_and_by_the_trajectory():
    asked = {"n": 3, "guidance": OfNet(3.0), "nets": {"weak": weak()}}
    whole, parts = (tiny().sample("a green star", batch=batch, **asked) for batch in (None, 2))
    assert ((whole.images.int() - parts.images.int()).abs() <= 1).all()
    assert whole.tally == lodestar.Tally(evaluations=18, calls=6)
    assert parts.tally == lodestar.Tally(evaluations=18, calls=12)
    *_, last = tiny().trajectory("a green star", **asked)
    assert torch.equal(last.images, whole.images)


def test_an_inner_head_guides_at_the_cost_of_one_evaluation():
    model = tiny(config=INNER)
    asked = {"n": 2, "seed": 3}
    result = model.sample("a green star", guidance="internal(2)", **asked)
    assert result.tally == lodestar.Tally(evaluations=6, calls=3)
    with torch.no_grad():
        g = guide("internal(2)", model, model.schema.encode(["a green star"] * 2))
        x = ddim(g, lodestar.Noise([3, 4]).normal(-1, 0, model.shape), levels(model.process, 3))
    assert torch.equal(to_uint8(x).permute(0, 2, 3, 1), result.images)
    none, plain = (model.sample("a green star", guidance=rule, **asked).images for rule in ("internal(1)", "cfg(1)"))
    assert torch.equal(none, plain)
    assert not torch.equal(result.images, plain)
    assert model.sample("a green star", guidance="plus(cfg(2), internal(2))", **asked).evaluations == 12
    weak = model.sample("a green star", guidance="auto(2)", nets={"weak": tiny()}, **asked)
    assert weak.evaluations == 12


def test_an_inner_head_guides_without_a_prompt():
    model = tiny(config=INNER)
    found, plain = (model.sample(None, n=2, guidance=rule).images for rule in ("internal(2)", 1))
    assert not torch.equal(found, plain)


def brightness(x, level, condition):
    """A log density of x [R, ...] that has more of it where it is brighter: its gradient is 1 everywhere."""
    return x.flatten(1).sum(1)


def test_the_gradient_of_another_model_by_name():
    rule, gradients = Classified(0.5), {"classifier": brightness}
    result = lodestar.sample(tiny(), "a green star", n=2, guidance=rule, gradients=gradients)
    assert result.tally == lodestar.Tally(evaluations=6, calls=3, gradients=6)
    assert result.images.float().mean() > tiny().sample(None, n=2).images.float().mean()
    assert "gradients" in result.recipe
    through = lodestar.sample(tiny(), "a green star", n=2, guidance=Universal(), gradients=gradients)
    assert through.tally == lodestar.Tally(evaluations=6, backwards=6, calls=3, gradients=6)


@pytest.mark.parametrize(
    ("net", "error"),
    [
        (tiny(LabelSchema(("cat", "dog", "owl"))), "'weak' reads other conditions than model 'tiny'"),
        (tiny(TextSchema(8, tokenizer=Tokenizer.train(["another world"], 300))), "'weak' reads other conditions"),
        (tiny(shape=(3, 16, 16)), r"'weak' makes images of \[3, 16, 16\] and model 'tiny' of \[3, 8, 8\]"),
    ],
)
def test_another_model_that_does_not_fit(net, error):
    with pytest.raises(UsageError, match=error):
        lodestar.sample(tiny(), "a green star", guidance=OfNet(), nets={"weak": net})


def test_another_model_may_have_read_other_words():
    """A text is the same tokens to both, as to a model and to one that began from its weights with other captions."""
    net = tiny(replace(TEXT, tokenizer=TEXT.tokenizer.having_read(["a purple cow"])))
    assert lodestar.sample(tiny(), "a green star", guidance=OfNet(), nets={"weak": net}).evaluations == 6


def test_another_model_that_never_saw_its_null():
    net = tiny(TextSchema(8, drop=0.0, tokenizer=TEXT.tokenizer))
    with pytest.raises(UsageError, match="'weak' never saw its null"):
        lodestar.sample(tiny(), "a green star", guidance=OfNullOfNet(), nets={"weak": net})
    lodestar.sample(tiny(), "a green star", guidance=OfNet(), nets={"weak": net})


def test_a_bare_network_beside_a_model():
    def zero(x, level, context):
        return torch.zeros_like(x)

    nets = {"weak": Network(zero, "flow")}
    result = lodestar.sample(tiny(), "a green star", guidance=OfNet(0.0), nets=nets)
    assert result.recipe["nets"] == {"weak": "zero"}
    noise = lodestar.Noise([0]).normal(-1, 0, (3, 8, 8))
    assert torch.equal(to_uint8(noise).permute(0, 2, 3, 1), result.images)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"guidance": "auto(2)"}, "needs a network named 'weak': give one (--net weak=FOLDER, nets={'weak': ...})"),
        ({"guidance": "cfg(2)", "nets": {"weak": tiny()}}, "reads the network named 'weak' at no step"),
        ({"guidance": "auto(2)", "nets": {"main": tiny()}}, "no network is named 'main'"),
        ({"guidance": "internal(2)"}, "internal(2) needs the head 'inner', which model 'tiny' has not: train one with"),
    ],
    ids=str,
)
def test_what_a_model_cannot_give_is_said_in_one_line_before_anything_runs(asked, says, monkeypatch):
    monkeypatch.setattr("lodestar.job.Job.run", None)  # sampling would fail
    with pytest.raises(UsageError) as caught:
        lodestar.sample(tiny(), "a green star", **asked)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_asked_of_no_sample_need_not_be_there():
    plain = tiny().sample("a green star", guidance=1).images
    for rule in ("auto(1)", "internal(1)"):
        assert torch.equal(tiny().sample("a green star", guidance=rule).images, plain)
    assert torch.equal(tiny().sample("a green star", guidance="auto(1)", nets={"weak": tiny()}).images, plain)


class OfNullOfNet(OfNet):
    ask = Ask(net="weak", drop=ALL)
