"""Pictures are judged by all that their prompt says, and by nothing that it leaves open."""

import torch
from benches import Telling

from lodestar.data.scenes.answers import QUESTIONS, answers
from lodestar.data.scenes.render import render
from lodestar.data.scenes.source import ScenesSource
from lodestar.data.scenes.triples import triples
from lodestar.measure.features import Seen
from lodestar.measure.judging import judged
from lodestar.pictures import from_uint8


class Knowing(Telling):
    """A detector of scenes that is told the truth."""

    classes = QUESTIONS


def seen(captions: list[str], spoil: str | None = None) -> Seen:
    log_p = {}
    for question, classes in QUESTIONS.items():
        log_p[question] = torch.zeros(len(captions), len(classes))
        for i, caption in enumerate(captions):
            said = answers(caption).get(question)
            at = classes.index(said) if said is not None else 0
            log_p[question][i, at if question != spoil else (at + 1) % len(classes)] = 1
    return Seen(torch.zeros(len(captions), 12), log_p)


def test_every_answer_must_be_right() -> None:
    batch = ScenesSource(32).held_out(30)
    assert batch.texts is not None
    found = judged(Knowing(), batch.images, batch.texts, seen(batch.texts))
    assert found["class accuracy"].all()
    assert found["prompt accuracy"].all()
    assert not judged(Knowing(), batch.images, batch.texts, seen(batch.texts, "objects"))["class accuracy"].any()


def test_what_a_prompt_leaves_open_is_not_asked() -> None:
    captions = ["a red circle", "a red circle on black"]
    found = judged(Knowing(), ScenesSource(32).held_out(2).images, captions, seen(captions, "background"))
    assert found["class accuracy"].tolist() == [True, False]


def test_a_detector_of_other_classes_says_nothing() -> None:
    images = ScenesSource(16).held_out(2).images
    assert judged(Telling(), images, ["cat", "dog"], Seen(torch.zeros(2, 12), {"class": torch.zeros(2, 3)})) == {}
    assert judged(Telling(), images, [None, "red"], Seen(torch.zeros(2, 12), {"class": torch.zeros(2, 3)})) == {}
    told = judged(
        Telling(), images, ["red", "blue"], Seen(torch.zeros(2, 12), {"class": torch.tensor([[1.0, 0, 0]] * 2)})
    )
    assert told["class accuracy"].tolist() == [True, False]


def test_edits_are_judged_by_what_they_change_and_what_they_leave_alone() -> None:
    edits = triples(6)
    before, after = (torch.from_numpy(render(scenes, 32)) for scenes in (edits.before, edits.after))
    told = [{"text": str(c), "image": b} for c, b in zip(edits.changes, from_uint8(before), strict=True)]
    nothing = Seen(torch.zeros(6, 12), {})
    found = judged(Telling(), after, told, nothing)
    assert found["edit accuracy"].all()
    assert found["untouched"].all()
    left = judged(Telling(), before, told, nothing)
    assert not left["edit accuracy"].any()
    assert left["untouched"].all()
    assert not judged(Telling(), 255 - after, told, nothing)["untouched"].any()
    assert judged(Telling(), after, [{**each, "text": "paint it"} for each in told], nothing) == {}
    assert judged(Telling(), after, [{**each, "image": None} for each in told], nothing) == {}
    assert judged(Telling(), after, [{**each, "text": None} for each in told], nothing) == {}
    assert judged(Telling(), after, [told[0], *["a red circle"] * 5], nothing) == {}


def test_edits_too_small_to_be_read_surely_are_not_judged() -> None:
    edits = triples(300)
    for side, known in ((16, False), (24, True)):
        before, after = (torch.from_numpy(render(scenes, side)) for scenes in (edits.before, edits.after))
        told = [{"text": str(c), "image": b} for c, b in zip(edits.changes, from_uint8(before), strict=True)]
        assert ("edit accuracy" in judged(Telling(), after, told, Seen(torch.zeros(300, 12), {}))) == known
