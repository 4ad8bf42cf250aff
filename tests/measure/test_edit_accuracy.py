"""Edit accuracy and what is left untouched, of editors whose faults are known."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from lodestar.data.scenes.edits import Edits
from lodestar.data.scenes.render import render
from lodestar.data.scenes.triples import triples
from lodestar.errors import UsageError
from lodestar.guidance import Tally
from lodestar.measure.edits import CLEAN, Edited, judge, measure_edits, read_edits
from lodestar.pictures import to_uint8
from lodestar.result import Result

N = 40
EDITS = triples(N)
BEFORE, AFTER = (torch.from_numpy(render(s, 32)) for s in (EDITS.before, EDITS.after))


@dataclass
class Knows:
    """An editor that is given what to make, and notes what it is asked."""

    images: torch.Tensor
    shape = (3, 32, 32)

    def sample(self, prompts, *, n, guidance, sampler, steps, seed, batch):
        self.asked = {"prompts": prompts, "guidance": guidance, "steps": steps, "seed": list(seed), "batch": batch}
        tally = Tally(3 * len(prompts))
        images = self.images.movedim(1, -1)
        return Result(images, list(seed), tally, 0.0, {"prompts": prompts}, prompts)


def test_an_editor_that_does_what_it_is_told_is_always_right():
    model = Knows(AFTER)
    found = measure_edits(model, EDITS, "edit(5, image=2)", steps=7, seed=100, batch=9)
    assert (found.accuracy.right, found.accuracy.n, found.evaluations) == (N, N, 3)
    assert found.failures == {}
    assert found.kept.share == 1
    assert math.isinf(found.median_psnr)
    assert found.describe()["untouched_psnr_median"] is None
    assert sum(share.n for share in found.by_kind.values()) == N
    assert (model.asked["guidance"], model.asked["steps"], model.asked["batch"]) == ("edit(5, image=2)", 7, 9)
    assert model.asked["seed"] == list(range(100, 100 + N))
    first = model.asked["prompts"][0]
    assert first["text"] == str(EDITS.changes[0])
    assert torch.equal(to_uint8(first["image"]), BEFORE[0])


def test_one_that_does_nothing_is_never_right_and_keeps_all():
    found = measure_edits(Knows(BEFORE), EDITS)
    assert (found.accuracy.right, found.both.right, found.kept.right) == (0, 0, N)


def test_noise_over_all_is_seen_in_what_should_be_untouched():
    rough = AFTER ^ 8  # 8 of 255 everywhere: 30.1 dB
    rougher = AFTER ^ 16  # 24 dB
    assert 29.9 < judge(EDITS, BEFORE, rough).median_psnr < 30.3
    found = judge(EDITS, BEFORE, rougher)
    assert (found.kept.right, found.both.right) == (0, 0)
    assert 23.9 < found.median_psnr < 24.3


def test_what_changes_is_no_untouched_pixel():
    """A place that is new, or another colour, costs nothing: also where a move goes elsewhere than the example."""
    i = next(i for i, c in enumerate(EDITS.changes) if c.kind == "recolour")
    assert math.isinf(judge(_rows(EDITS, i), BEFORE[i : i + 1], AFTER[i : i + 1]).psnr[0])
    spoilt = AFTER[i : i + 1].clone()
    spoilt[..., -1, -1] ^= 128  # far from all objects
    assert judge(_rows(EDITS, i), BEFORE[i : i + 1], spoilt).psnr[0] < 45
    i = next(i for i, c in enumerate(EDITS.changes) if c.kind == "move")
    one = _rows(EDITS, i)
    apart = one.after.centre[0][:, None] - one.before.centre[0]
    moved = int(np.hypot(*np.moveaxis(apart, -1, 0)).min(1)[: one.after.count[0]].argmax())
    elsewhere = one.after.centre.copy()
    elsewhere[0, moved] += 0.015
    after = torch.from_numpy(render(replace(one.after, centre=elsewhere), 32))
    assert not torch.equal(after[0], AFTER[i])
    assert math.isinf(judge(one, BEFORE[i : i + 1], after).psnr[0])


def test_the_shares_have_wilson_intervals_and_kinds_of_faults():
    found = Edited(["count", None, None, "object"], ["add", "add", "move", "move"], [20.0, 40.0, math.nan, 30.0])
    assert found.accuracy.share == 0.5
    low, high = found.accuracy.interval
    assert 0.14 < low < 0.16
    assert high == pytest.approx(1 - low)
    assert (found.kept.right, found.kept.n) == (3, 4)  # of one there is no untouched pixel
    assert found.both.right == 2
    assert found.median_psnr == CLEAN
    assert {kind: (s.right, s.n) for kind, s in found.by_kind.items()} == {"add": (1, 2), "move": (1, 2)}
    assert found.failures == {"count": 1, "object": 1}


def test_pictures_are_judged_by_those_that_are_read_before_them():
    told = [str(change) for change in EDITS.changes]
    found, known = read_edits(BEFORE, AFTER, told), judge(EDITS, BEFORE, AFTER)
    assert found is not None
    assert (found.wrong, found.kinds, found.kept) == (known.wrong, known.kinds, known.kept)
    assert all(found.right)
    lazy = read_edits(BEFORE, BEFORE, told)
    assert lazy is not None
    assert not any(lazy.right)
    assert all(lazy.left_alone)


def test_a_single_edit_is_judged_where_the_reader_can():
    i = next(i for i, c in enumerate(EDITS.changes) if c.kind == "recolour")
    after, said = torch.stack([AFTER[i], BEFORE[i]]), str(EDITS.changes[i])
    before = BEFORE[i].expand_as(after)
    found = read_edits(before, after, [said, said])
    assert found is not None
    assert list(found.right) == [True, False]
    assert read_edits(before, after, [said, "make it a painting by Klee"]) is None
    absent = next(s for s in ("circle", "square", "star", "ring") if s not in _shapes(i))
    assert read_edits(before, after, [said, f"remove the {absent}"]) is None
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 255, before.shape, np.uint8))
    assert read_edits(noise, after, [said, said]) is None
    assert read_edits(before[..., :8, :8], after[..., :8, :8], [said, said]) is None
    assert read_edits(before[..., :24], after[..., :24], [said, said]) is None
    assert read_edits(before[:, :1], after[:, :1], [said, said]) is None


def test_measuring_nothing_is_an_error():
    with pytest.raises(UsageError, match="at least one edit"):
        measure_edits(Knows(AFTER), replace(EDITS, changes=[]))


def _rows(edits: Edits, i: int) -> Edits:
    """The triple with this number alone."""
    picked = triples(1, start=i)
    assert picked.changes == [edits.changes[i]]
    return picked


def _shapes(i: int) -> set[str]:
    from lodestar.data.scenes.reader import truth

    return {str(o.shape) for o in truth(triples(1, start=i).before)[0].objects}
