"""The denoising task: what it teaches, and that chance is a function of (seed, step, place)."""

from dataclasses import replace

import pytest
import torch
from squares import SCHEMA, Net, Squares, task
from torch import nn

from lodestar.conditions import DropRamp, JointSchema, TextSchema, Tokenizer, VectorSchema
from lodestar.core import KINDS, Prediction
from lodestar.data import Batch
from lodestar.errors import UsageError
from lodestar.pictures import from_uint8
from lodestar.process import Cosine, Flow, LogitNormal
from lodestar.train.task import DROPPED, INNER, NOISE, draw
from lodestar.train.weighting import MinSNR

BATCH = next(Squares().batches(8, 0))


class Knows(nn.Module):
    """Puts out what it is told to."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.weight = answer, nn.Parameter(torch.zeros(()))

    def encode(self, condition):
        self.condition = condition

    def forward(self, x, level, context):
        self.x, self.level = x, level
        return self.answer(x, level) + self.weight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("process", [Flow(), Cosine()])
def test_the_right_answer_in_the_networks_kind_has_no_loss(kind, process):
    x0 = from_uint8(BATCH.images)

    def answer(x, level):
        at = level.like(x)
        eps = (x - at.alpha * x0) / at.sigma
        return Prediction(x0, eps).reading(kind, level)

    density = LogitNormal(std=0.1)  # the middle, where eps is well conditioned
    right = task(network=Knows(answer), kind=kind, process=process, density=density)
    assert right.loss(BATCH, 0).max() < 1e-6
    wrong = task(network=Knows(lambda x, level: answer(x, level) + 0.5), kind=kind, process=process, density=density)
    assert torch.allclose(wrong.loss(BATCH, 0), torch.full((8,), 0.25), atol=1e-3)


@pytest.mark.parametrize("weighted", [None, MinSNR("flow")])
@pytest.mark.parametrize("inner", [0.5, 2.0])
def test_an_inner_head_adds_its_own_loss(inner, weighted):
    """Its error is measured and weighed as the network's own, which alone is validated."""

    def two(x, level):
        return Heads({"main": x, "inner": x + 0.3})

    class Heads(dict):
        def __add__(self, weight):
            return {head: value + weight for head, value in self.items()}

    changes = {"weight": weighted, "inner": inner}
    both = task(network=Knows(two), **changes)
    main, other = (task(network=Knows(lambda x, level, d=d: x + d), **changes) for d in (0.0, 0.3))
    total, one, two_ = (each.loss(BATCH, 0) for each in (both, main, other))
    torch.testing.assert_close(total, one + inner * two_)
    torch.testing.assert_close(both.facts[INNER], two_.detach())
    assert INNER not in main.facts
    drawn = draw(both, BATCH.images.shape, 0, 0)
    level, asked = both.process.level(drawn.u), (BATCH.images, drawn.eps)
    torch.testing.assert_close(both.error(*asked, level, None), main.error(*asked, level, None))


def test_the_loss_is_a_function_of_seed_and_step():
    net = Net().eval()
    one = task(network=net).loss(BATCH, 5)
    assert one.shape == (8,)
    assert torch.equal(one, task(network=net).loss(BATCH, 5))
    assert not torch.equal(one, task(network=net).loss(BATCH, 6))
    assert not torch.equal(one, task(network=net, seed=8).loss(BATCH, 5))


def test_a_part_draws_what_the_whole_batch_draws_there():
    one = task()
    whole, part = draw(one, BATCH.images.shape, 3, 0), draw(one, torch.Size((2, 3, 8, 8)), 3, 4)
    for a, b in ((whole.u, part.u), (whole.dropped, part.dropped), (whole.eps, part.eps)):
        assert torch.equal(a[4:6], b)


def test_draws_have_their_distributions():
    drawn = draw(task(), torch.Size((4000, 1, 2, 2)), 0, 0)
    assert float(drawn.dropped.float().mean()) == pytest.approx(0.25, abs=0.03)
    assert float(drawn.u.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(drawn.eps.std()) == pytest.approx(1, abs=0.02)
    together = torch.stack([drawn.u, drawn.dropped.double(), drawn.eps[:, 0, 0, 0].double()])
    assert (torch.corrcoef(together) - torch.eye(3)).abs().max() < 0.06


def test_dropped_rows_are_the_null_and_the_others_are_not():
    knows = Knows(lambda x, level: x)
    one = task(network=knows, schema=replace(SCHEMA, drop=0.5))
    one.loss(BATCH, 1)
    dropped = one.facts[DROPPED]
    assert 0 < int(dropped.sum()) < 8
    assert torch.equal(knows.condition.index, torch.where(dropped, -1, BATCH.labels))
    assert torch.equal(one.facts[NOISE], knows.level.noise_to_signal)


def test_the_noisy_picture_is_of_its_level():
    knows = Knows(lambda x, level: x)
    one = task(network=knows)
    one.loss(BATCH, 1)
    eps, at = draw(one, BATCH.images.shape, 1, 0).eps, knows.level.like(knows.x)
    assert torch.allclose(knows.x, at.alpha * from_uint8(BATCH.images) + at.sigma * eps, atol=1e-6)


def test_an_unconditional_task_tosses_no_coins():
    knows = Knows(lambda x, level: x)
    one = task(network=knows, schema=None)
    one.loss(BATCH, 0)
    assert knows.condition is None
    assert DROPPED not in one.facts


def test_data_without_the_condition_is_an_error():
    bare = Batch(BATCH.images)
    with pytest.raises(UsageError, match="no captions"):
        task(schema=TextSchema(tokenizer=Tokenizer.train(["a"], 300))).loss(bare, 0)
    with pytest.raises(UsageError, match="class"):
        task().loss(bare, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_min_snr_weighs_an_x0_error_the_same_in_every_kind(kind):
    process = Flow() if kind == "flow" else Cosine()
    level = process.level(torch.linspace(0.05, 0.95, 7).double())
    x0, wrong = torch.zeros(7, 1), torch.ones(7, 1)
    x = level.like(x0).sigma * 0.3
    at = level.like(x0)
    right, other = (
        Prediction(p.double(), (x.double() - at.alpha.double() * p) / at.sigma.double()) for p in (x0, wrong)
    )
    error = (other.reading(kind, level) - right.reading(kind, level)).square()[:, 0]
    weighted = MinSNR(kind)(level) * error
    assert torch.allclose(weighted, level.lam.exp().clamp(max=5.0), rtol=1e-4)
    with pytest.raises(UsageError, match="gamma"):
        MinSNR(kind, float("nan"))


def test_a_ramp_drops_by_each_samples_own_level():
    ramp = DropRamp(0.0, 1.0, (1.0, 1.0001))  # in a flow, sigma/alpha 1 is the middle
    drawn = draw(task(schema=replace(SCHEMA, drop=ramp)), torch.Size((200, 1, 2, 2)), 0, 0)
    assert torch.equal(drawn.dropped, drawn.u > 0.5)


def test_a_joint_table_drops_parts_together():
    table = {"colour": 0.1, "text": 0.1, "colour+text": 0.2}
    parts = {"colour": SCHEMA, "text": TextSchema(tokenizer=Tokenizer.train(["a red square"], 300))}
    drawn = draw(task(schema=JointSchema(parts, table)), torch.Size((4000, 1, 2, 2)), 0, 0)
    colour, text = drawn.dropped["colour"], drawn.dropped["text"]
    for happened, p in ((colour & ~text, 0.1), (text & ~colour, 0.1), (colour & text, 0.2)):
        assert float(happened.float().mean()) == pytest.approx(p, abs=0.02)

    knows = Knows(lambda x, level: x)
    one = task(network=knows, schema=JointSchema(parts, table))
    one.loss(BATCH, 0)
    drawn = draw(one, BATCH.images.shape, 0, 0)
    gone = {name: ~part.present for name, part in knows.condition.parts.items()}
    assert all(torch.equal(gone[name], drawn.dropped[name]) for name in parts)
    assert torch.equal(one.facts[DROPPED], gone["colour"] | gone["text"])


def test_a_schema_that_no_data_has_is_an_error():
    with pytest.raises(UsageError, match=r"conditioned on vectors .'vector'. and the data has none: name"):
        task(schema=VectorSchema(3)).loss(BATCH, 0)
