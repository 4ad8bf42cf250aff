"""From pixels to separate blobs: the ground, how much of each pixel is not ground, and what hangs together.

The reader's first half. It works at no more than WORKING pixels a side: larger images are averaged down, which is what
antialiasing would have done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .world import COLOURS

WORKING = 32  # pixels a side
INSIDE = 0.5  # a pixel belongs to a blob where this much of it is covered
THIN, THIN_INSIDE = 24, 0.38  # the same below 24 pixels a side, where a ring is one pixel wide
GROW = 2  # pixels around a blob that are still its own: its antialiased edge

Pixels = NDArray[np.float32]
Labels = NDArray[np.int32]

_PALETTE = np.array(list(COLOURS.values()), dtype=np.float32)


@dataclass(frozen=True)
class Blobs:
    """The blobs of a batch: of image `image[m]`, with their mass centre in pixels."""

    difference: Pixels  # [N, 3, R, R] image minus its ground
    cover: Pixels  # [N, R, R] share of each pixel that is not ground
    owner: Labels  # [N, R, R] the blob a pixel belongs to or is next to, as its name; 0: none
    name: NDArray[np.int64]  # [M] names in `owner`
    image: NDArray[np.int64]  # [M]
    x: NDArray[np.float64]  # [M] pixels, of the first pixel's centre 0
    y: NDArray[np.float64]  # [M]


def shrink(images: NDArray[np.uint8]) -> Pixels:
    """Images [N, 3, H, H] as floats 0 to 255 [N, 3, R, R], R = min(H, WORKING), by area averages."""
    side = images.shape[-1]
    x = images.astype(np.float32)
    if side <= WORKING:
        return x
    if side % WORKING == 0:
        k = side // WORKING
        return x.reshape(*x.shape[:2], WORKING, k, WORKING, k).mean((3, 5), dtype=np.float32)
    weights = _overlap(side, WORKING)
    return np.asarray(weights @ x @ weights.T)


def _overlap(many: int, few: int) -> Pixels:
    """The share [few, many] of each of `few` equal cells that each of `many` equal cells fills."""
    left, right = np.arange(few) / few, np.arange(1, few + 1) / few
    start, stop = np.arange(many) / many, np.arange(1, many + 1) / many
    shared = np.minimum(right[:, None], stop) - np.maximum(left[:, None], start)
    return (np.maximum(shared, 0) * few).astype(np.float32)


def grounds(x: Pixels) -> Pixels:
    """The colour [N, 3] of each image's ground: the median of its border."""
    border = np.concatenate((x[:, :, 0], x[:, :, -1], x[:, :, 1:-1, 0], x[:, :, 1:-1, -1]), -1)
    return np.asarray(np.median(border, -1), dtype=np.float32)


def blobs(x: Pixels, ground: Pixels, least: float) -> Blobs:
    """The blobs of images x [N, 3, R, R] on grounds [N, 3] that cover at least `least` pixels."""
    difference = x - ground[:, :, None, None]
    cover = _cover(difference, ground)
    names = connected(cover > (INSIDE if x.shape[-1] >= THIN else THIN_INSIDE))
    owner = _grow(names)
    return _gather(difference, cover, names, owner, least)


def _cover(difference: Pixels, ground: Pixels) -> Pixels:
    """Unmixing [N, R, R]: pixel = ground + a (colour - ground), with the colour that leaves least, a in [0, 1]."""
    way = _PALETTE[None] - ground[:, None]  # [N, 6, 3]
    square = np.maximum((way**2).sum(-1), 1)[..., None]  # [N, 6, 1]
    d = difference.reshape(len(way), 3, -1)
    dot = way @ d  # [N, 6, R*R]
    a = np.clip(dot / square, 0, 1)
    left = a * (a * square - 2 * dot)  # |d - a way|^2 but for |d|^2
    best = np.take_along_axis(a, np.argmin(left, 1)[:, None], 1)
    return best.reshape(len(way), *difference.shape[2:])


def connected(mask: NDArray[np.bool_]) -> Labels:
    """Names [N, R, R] of the 4-connected parts of masks [N, R, R]: the largest flat position + 1 in each; 0 outside."""
    names = np.where(mask, np.arange(1, mask.size + 1, dtype=np.int32).reshape(mask.shape), 0).astype(np.int32)
    while True:
        before = names.copy()
        for axis in (1, 2):
            _sweep(np.moveaxis(names, axis, 0), np.moveaxis(mask, axis, 0))
        if np.array_equal(before, names):
            return names


def _sweep(names: Labels, mask: NDArray[np.bool_]) -> None:
    """Carries the largest name along the first axis, there and back, within the mask; in place."""
    last = len(names) - 1
    for i in range(1, last + 1):
        np.maximum(names[i], names[i - 1] * mask[i], out=names[i])
    for i in range(last - 1, -1, -1):
        np.maximum(names[i], names[i + 1] * mask[i], out=names[i])


def _grow(names: Labels) -> Labels:
    """Names spread by GROW pixels into what has none."""
    for _ in range(GROW):
        wide = np.pad(names, ((0, 0), (1, 1), (1, 1)))
        rows = np.maximum(np.maximum(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])
        near = np.maximum(np.maximum(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
        names = np.where(names > 0, names, near)
    return names


def _gather(difference: Pixels, cover: Pixels, names: Labels, owner: Labels, least: float) -> Blobs:
    side = cover.shape[-1]
    at = np.flatnonzero(owner)
    whose, weight = owner.ravel()[at], cover.ravel()[at].astype(np.float64)
    name, row = np.unique(whose.astype(np.int64), return_inverse=True)
    mass = np.bincount(row, weight)
    x = np.bincount(row, weight * (at % side)) / np.maximum(mass, 1e-9)
    y = np.bincount(row, weight * (at // side % side)) / np.maximum(mass, 1e-9)
    kept = mass >= least
    image = (name - 1) // side**2
    return Blobs(difference, cover, owner, name[kept], image[kept], x[kept], y[kept])
