"""Captions that are false of a scene in one thing only: what the reader has to reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .captions import PLACES, RELATIONS, Claim, Thing
from .world import BACKGROUNDS, COLOURS, MOST, SHAPES

KINDS = ("added", "missing", "replaced", "colour", "shape", "size", "relation", "place", "background")


def variants(claim: Claim, rng: np.random.Generator) -> dict[str, Claim]:
    """For each of KINDS that this claim allows, the claim with that one thing changed.

    What the claim does not say cannot be said wrongly: such kinds are left out.
    """
    made = {
        "added": _added(claim, rng) if len(claim.things) < MOST else None,
        "missing": _missing(claim, rng) if len(claim.things) > 1 else None,
        "replaced": _changed(claim, rng, ("colour", "shape")),
        "colour": _changed(claim, rng, ("colour",)),
        "shape": _changed(claim, rng, ("shape",)),
        "size": _resized(claim, rng),
        "relation": claim.relation and replace(claim, relation=_other(RELATIONS, claim.relation, rng)),
        "place": claim.place and replace(claim, place=_other(tuple(PLACES), claim.place, rng)),
        "background": claim.background and replace(claim, background=_other(_GROUNDS, claim.background, rng)),
    }
    return {kind: c for kind, c in made.items() if isinstance(c, Claim)}


def _added(claim: Claim, rng: np.random.Generator) -> Claim:
    """One more thing, of a kind that is not there; an only thing's place goes, for the grammar has no room for it."""
    said = {(t.colour, t.shape) for t in claim.things}
    free = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in said]
    return replace(claim, things=(*claim.things, Thing(*free[rng.integers(len(free))])), place=None)


def _missing(claim: Claim, rng: np.random.Generator) -> Claim:
    """One thing less; the relation stays if both things of it do."""
    k = int(rng.integers(len(claim.things)))
    things = claim.things[:k] + claim.things[k + 1 :]
    return replace(claim, things=things, relation=claim.relation if k == 2 else None)


def _changed(claim: Claim, rng: np.random.Generator, what: Sequence[str]) -> Claim:
    """One thing of another colour, another shape, or both."""
    k = int(rng.integers(len(claim.things)))
    thing = claim.things[k]
    colour = _other(tuple(COLOURS), thing.colour, rng) if "colour" in what else thing.colour
    shape = _other(SHAPES, thing.shape, rng) if "shape" in what else thing.shape
    return _with(claim, k, replace(thing, colour=colour, shape=shape))


def _resized(claim: Claim, rng: np.random.Generator) -> Claim | None:
    said = [k for k, t in enumerate(claim.things) if t.size]
    if not said:
        return None
    k = said[rng.integers(len(said))]
    return _with(claim, k, replace(claim.things[k], size="small" if claim.things[k].size == "large" else "large"))


def _with(claim: Claim, k: int, thing: Thing) -> Claim:
    return replace(claim, things=(*claim.things[:k], thing, *claim.things[k + 1 :]))


def _other(known: Sequence[str], than: str, rng: np.random.Generator) -> str:
    rest = [k for k in known if k != than]
    return rest[rng.integers(len(rest))]


_GROUNDS = tuple(BACKGROUNDS)
