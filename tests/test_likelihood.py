"""Likelihoods: what they say of noisy pictures, what reaches them of a prompt, their folders, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import lodestar
from judges import classifier, clip
from lodestar import Likelihood, UsageError, gradients, load
from lodestar.conditions import ImageSchema, JointSchema, Label, LabelSchema
from lodestar.core import Level
from lodestar.data.scenes.answers import SCHEMA
from lodestar.likelihood import known, said
from lodestar.process import Cosine, Flow
from tiny import LABEL, TEXT, tiny

RED, STAR = "a red circle", "a green star"
X = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
AT = Flow().level(torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64))


class Reddish(nn.Module):
    """As if a classifier: the redder the likelier "cat", of all things."""

    config = None

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0), requires_grad=False)

    def encode(self, condition: Label) -> torch.Tensor:
        return condition.index

    def forward(self, x: torch.Tensor, level: Level, answer: torch.Tensor) -> torch.Tensor:
        towards = torch.where(answer == 0, 1.0, -1.0)
        return self.weight * towards * x[:, 0].mean((1, 2))


REDDISH = classifier(network=Reddish())


# What it says


def test_the_null_says_nothing():
    judge = classifier()
    found = judge(X, AT, judge.condition(["dog", None, "owl"]))
    assert found[1] == 0
    assert (found[[0, 2]] < 0).all()


def test_towards_one_and_away_from_another_are_the_odds():
    for judge, a, b in ((classifier(), "dog", "cat"), (clip(), RED, STAR)):
        one, other = (judge(X, AT, judge.condition([value] * 3)) for value in (a, b))
        assert torch.equal(judge.towards(a)(X, AT, None), one)
        assert torch.allclose(judge.towards(a, away=b)(X, AT, None), one - other)


def test_classes_are_named_and_scenes_are_captions_or_answers():
    judge = classifier(SCHEMA)
    by_caption, by_answers = judge.condition([RED]), judge.condition([{"objects": "1", "1 of 1": "red circle"}])
    assert torch.equal(judge.network.encode(by_caption), judge.network.encode(by_answers))
    assert classifier().condition(["owl", 0]).index.tolist() == [2, 0]
    with pytest.raises(UsageError, match="is no caption of scenes"):
        judge.towards("a cat")(X, AT)


@pytest.mark.parametrize("make", [classifier, clip])
@pytest.mark.parametrize("u", [0.0, 1.0])
def test_its_derivative_is_finite_at_both_ends(make, u):
    judge, x = make(), X.clone().requires_grad_()
    value = judge.towards({"classifier": "dog", "clip": RED}[judge.kind])(x, Flow().level(torch.tensor(u)))
    slope = torch.autograd.grad(value.sum(), x)[0]
    assert slope.isfinite().all()
    assert slope.abs().max() > 0


def test_no_sample_sees_another():
    for judge, value in ((classifier(), "dog"), (clip(), RED)):
        whole = judge.towards(value)(X, AT)
        for i in range(3):
            rows = slice(i, i + 1)
            assert torch.allclose(judge.towards(value)(X[rows], AT[rows]), whole[rows], atol=1e-4)


# What reaches it


def test_what_a_condition_says_is_said_again():
    assert said(TEXT.encode([RED, None, "A GREEN  star"]), TEXT) == [RED, None, STAR]
    assert said(LABEL.encode(["owl", None]), LABEL) == ["owl", None]
    joint = JointSchema({"text": TEXT, "image": ImageSchema((1, 4, 4))}, 0.1)
    asked = [{"text": RED, "image": torch.zeros(1, 4, 4)}, None]
    assert said(joint.encode(asked), joint) == [RED, None]
    two = JointSchema({"a": LABEL, "b": LABEL})
    with pytest.raises(UsageError, match="2 texts and classes"):
        said(two.encode([None]), two)
    image = ImageSchema((1, 4, 4))
    with pytest.raises(UsageError, match="says nothing in words"):
        said(image.encode([torch.zeros(1, 4, 4)]), image)


def redness(result):
    return result.images[..., 0].float().mean((1, 2))


@pytest.mark.parametrize("process", [Flow(), Cosine()], ids=str)
def test_the_prompt_reaches_the_classifier_sample_by_sample(process):
    """Of another list of classes than the model's; in chunks; cat is pushed to red, the others away from it."""
    model = tiny(LabelSchema(("dog", "owl", "cat")), process=process, kind="v")
    asked = {"n": 2, "seed": 3, "batch": 3}
    plain, pushed = (
        model.sample(["cat", "owl"], guidance=f"classifier(cfg(1), {s})", gradients={"classifier": REDDISH}, **asked)
        for s in (0, 40)
    )
    more = redness(pushed) - redness(plain)
    assert (more[:2] > 0).all()
    assert (more[2:] < 0).all()
    assert pushed.tally.gradients == pushed.evaluations == 2 * 2 * 3
    assert plain.tally.gradients == 0
    assert pushed.recipe["gradients"] == {"classifier": "judge"}


def test_without_a_prompt_something_to_pull_towards_is_enough():
    model = tiny(LABEL)
    plain = model.sample(None, n=2)
    rule = "classifier(cfg(0), 40)"
    red = model.sample(None, n=2, guidance=rule, gradients={"classifier": REDDISH.towards("cat")})
    assert (redness(red) > redness(plain)).all()
    assert red.recipe["gradients"] == {"classifier": "judge towards 'cat'"}
    with pytest.raises(UsageError, match=r"no prompt that classifier 'judge' could pull towards.*--towards"):
        model.sample(None, guidance=rule, gradients={"classifier": classifier()})
    free = tiny(None)
    with pytest.raises(UsageError, match=r"no prompt that classifier 'judge' could pull towards.*--towards"):
        free.sample(None, guidance="classifier(cfg(1), 40)", gradients={"classifier": classifier().of_prompts(None)})


def test_a_sample_without_a_prompt_beside_others_is_left_as_it_is():
    model = tiny(LABEL)
    asked = {"gradients": {"classifier": REDDISH}}
    plain, pushed = (model.sample(["cat", None], guidance=f"classifier(cfg(1), {s})", **asked) for s in (0, 40))
    assert torch.equal(plain.images[1], pushed.images[1])
    assert not torch.equal(plain.images[0], pushed.images[0])


def test_chunks_that_have_no_prompt_are_drawn_beside_those_that_have_one():
    model, asked = tiny(LABEL), {"guidance": "classifier(cfg(1), 40)", "gradients": {"classifier": REDDISH}}
    whole, apart = (model.sample([None, "cat", None], batch=b, **asked) for b in (3, 1))
    assert ((whole.images.int() - apart.images.int()).abs() <= 1).all()
    assert apart.tally == replace(whole.tally, calls=3 * whole.tally.calls)


def test_texts_of_another_tokenizer_reach_clip():
    model, judge = tiny(), clip()
    result = model.sample([RED, STAR], guidance="clip(cfg(1), 0.1)", gradients={"clip": judge})
    each = [
        model.sample(text, guidance="clip(cfg(1), 0.1)", gradients={"clip": judge.towards(text)})
        for text in (RED, STAR)
    ]
    assert ((result.images.int() - torch.cat([r.images for r in each]).int()).abs() <= 1).all()


def test_minus_it_is_a_loss_of_clean_pictures():
    model = tiny(LABEL)
    less = {"it": gradients.minus(REDDISH.of_prompts(model.schema))}
    plain, red = (
        model.sample("cat", n=2, guidance=f'energy(cfg(1), "it", strength={s}, through=false)', gradients=less)
        for s in (0, 40)
    )
    assert (redness(red) > redness(plain)).all()


@pytest.mark.parametrize("given", [REDDISH, REDDISH.of_prompts(LABEL), REDDISH.towards("cat")], ids=type)
@pytest.mark.parametrize(
    "rule", ['energy(cfg(1), "it", {})', 'interval(energy(cfg(1), "it", {}, through=false), lo=1)']
)
def test_energy_does_not_go_down_a_likelihood_away_from_what_is_asked(given, rule):
    for strength in (2, 0):
        with pytest.raises(UsageError, match=r"goes down .*'it', and so away from .*gradients.minus"):
            tiny(LABEL).sample("cat", guidance=rule.format(strength), gradients={"it": given})


def test_pictures_of_another_size_and_noise_that_is_no_level_are_refused():
    judge = classifier()
    with pytest.raises(UsageError, match="'judge' and the model are of pictures of two sizes: 3x8x8 and 3x4x4"):
        judge.towards("dog")(X[..., :4, :4], AT)
    with pytest.raises(UsageError, match="is told the noise as a Level"):
        judge.towards("dog")(X, torch.tensor([0.2, 0.5, 0.8]))


# Its folder


@pytest.mark.parametrize("make", [classifier, clip, lambda: classifier(SCHEMA)], ids=["classes", "clip", "scenes"])
def test_a_saved_one_comes_back(tmp_path, make):
    judge = replace(make(), card={"licence": "CC0-1.0"})
    judge.save(tmp_path / "j")
    back = lodestar.Likelihood.load(tmp_path / "j")
    for name in ("kind", "process", "schema", "shape", "name", "card"):
        assert getattr(back, name) == getattr(judge, name), name
    value = {"classes": "dog", "texts": RED, "scenes": RED}[
        "texts" if judge.kind == "clip" else "scenes" if judge.schema == SCHEMA else "classes"
    ]
    assert torch.equal(back.towards(value)(X, AT), judge.towards(value)(X, AT))
    assert not back.network.training
    assert not any(p.requires_grad for p in back.network.parameters())
    told = back.describe()
    assert json.loads(json.dumps(told)) == told
    assert told["kind"] == judge.kind
    assert told["bytes"] == (tmp_path / "j" / "model.safetensors").stat().st_size
    assert known(tmp_path / "j").name == judge.name


def one_line(call, *says):
    with pytest.raises(UsageError) as caught:
        call()
    assert "\n" not in str(caught.value)
    for part in says:
        assert part in str(caught.value)


def test_what_draws_and_what_tells_apart_are_not_taken_for_each_other(tmp_path):
    classifier().save(tmp_path / "j")
    tiny().save(tmp_path / "m")
    one_line(lambda: load(tmp_path / "j"), "is a classifier, which tells pictures apart and draws none", "--gradient")
    one_line(lambda: Likelihood.load(tmp_path / "m"), "is a model that draws pictures", "--preset classifier-scenes")
    assert known(tmp_path / "m").kind == "flow"


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"kind": "clip"}, "it is said to be a clip, and its network is a classifier"),
        ({"kind": "flow"}, "its kind is flow, and its network draws nothing"),
        ({"network": {"type": "unett"}}, "unknown network 'unett'"),
        ({"network": {"type": "classifier", "image": 3}}, "no model of this Lodestar"),
        ({"schema": None}, "a classifier tells classes apart"),
        ({"shape": [3]}, "no model of this Lodestar"),
    ],
    ids=str,
)
def test_a_damaged_folder_is_named(tmp_path, new, says):
    classifier().save(tmp_path / "j")
    path = tmp_path / "j" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **new}))
    one_line(lambda: known(tmp_path / "j"), says, str(tmp_path))
    path.with_name("model.safetensors").write_bytes(b"no")
    one_line(lambda: Likelihood.load(tmp_path / "j"), "model.safetensors is damaged")
