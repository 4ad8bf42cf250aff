"""Captions say what is true, and are understood."""

import numpy as np
import pytest
from spoil import some

from lodestar.data.scenes.captions import (
    PLACES,
    THIRDS,
    Claim,
    Thing,
    captions,
    claims,
    parse,
    place_of,
    relation_of,
    turned,
)
from lodestar.data.scenes.world import BACKGROUNDS, COLOURS, SHAPES


@pytest.mark.parametrize("held_out", [False, True])
def test_what_is_said_is_understood(held_out: bool) -> None:
    scenes = some(3000, held_out)
    said = claims(scenes)
    assert [parse(c) for c in captions(scenes)] == said


def unturned(claim: Claim) -> Claim:
    """With the things in the order of the scene's objects: those further up or left come first."""
    return turned(claim) if claim.relation in ("below", "right of") else claim


def test_objects_are_named_in_reading_order() -> None:
    """But for relations, of which half are said from the other side."""
    scenes = some(3000)
    said = claims(scenes)
    along = scenes.centre.sum(-1)
    assert all((np.diff(along[i, : scenes.count[i]]) >= 0).all() for i in range(len(scenes)))
    related = [c.relation for c in said if c.relation]
    back = sum(r in ("below", "right of") for r in related) / len(related)
    assert back == pytest.approx(0.5, abs=0.04)
    plain = [i for i, c in enumerate(said) if c.relation is None]
    assert all(said[i].things[0].shape == SHAPES[scenes.shape[i, 0]] for i in plain)


def test_a_turned_claim_says_the_same() -> None:
    claim = parse("a red circle above a blue square and a green star on black")
    assert claim is not None
    assert str(turned(claim)) == "a blue square below a red circle and a green star on black"
    assert turned(turned(claim)) == claim


def test_what_is_said_is_true() -> None:
    scenes = some(3000)
    for i, claim in enumerate(claims(scenes)):
        assert len(claim.things) == scenes.count[i]
        for k, thing in enumerate(unturned(claim).things):
            assert thing.colour == list(COLOURS)[scenes.colour[i, k]]
            assert thing.shape == SHAPES[scenes.shape[i, k]]
            assert thing.size in (None, "large" if scenes.large[i, k] else "small")
        assert claim.background in (None, list(BACKGROUNDS)[scenes.background[i]])


def test_a_relation_holds_clearly() -> None:
    scenes = some(3000)
    axis = {"left of": (0, 1), "right of": (0, -1), "above": (1, 1), "below": (1, -1)}
    said = [(i, unturned(c).relation) for i, c in enumerate(claims(scenes)) if c.relation]
    assert {c.relation for c in claims(scenes) if c.relation} == set(axis)
    for i, relation in said:
        along, sign = axis[relation]
        offset = scenes.centre[i, 1] - scenes.centre[i, 0]
        assert sign * offset[along] >= 1.3 * abs(offset[1 - along])


def test_a_place_holds() -> None:
    scenes = some(3000)
    said = [(i, c.place) for i, c in enumerate(claims(scenes)) if c.place]
    assert {p for _, p in said} == set(PLACES)
    assert all(PLACES[p] == tuple(np.searchsorted(THIRDS, scenes.centre[i, 0])) for i, p in said)


@pytest.mark.parametrize(("x", "y", "place"), [(0.2, 0.2, "at the top left"), (0.5, 0.8, "at the bottom")])
def test_places(x: float, y: float, place: str) -> None:
    assert place_of(np.array([x, y])) == place


def test_near_a_border_no_place_is_said() -> None:
    assert place_of(np.array([0.39, 0.2])) is None


def test_no_relation_on_the_diagonal() -> None:
    assert relation_of(np.array([0.2, 0.2]), np.array([0.7, 0.68]), 1.3) is None


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("a red circle", Claim((Thing("red", "circle"),))),
        ("A  Red circle", Claim((Thing("red", "circle"),))),
        ("a small cyan ring in the centre", Claim((Thing("cyan", "ring", "small"),), place="in the centre")),
        (
            "a red circle above a blue square on grey",
            Claim((Thing("red", "circle"), Thing("blue", "square")), "above", background="grey"),
        ),
        (
            "a red circle, a blue square and a large green star",
            Claim((Thing("red", "circle"), Thing("blue", "square"), Thing("green", "star", "large"))),
        ),
    ],
)
def test_parse(text: str, claim: Claim) -> None:
    assert parse(text) == claim


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a cat",
        "red circle",
        "a red circle above",
        "a circle red",
        "a red circle on pink",
        "a red circle a blue star",
    ],
)
def test_other_texts_are_not_of_this_world(text: str) -> None:
    assert parse(text) is None
