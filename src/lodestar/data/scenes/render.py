"""From scenes to pixels: signed distances, so that edges are antialiased at every resolution.

Coverage of a pixel is clamp(1/2 - d, 0, 1), d the signed distance of its centre to the outline in pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .world import BACKGROUNDS, COLOURS, MOST, SHAPES, Floats, Scenes

Singles = NDArray[np.float32]
Distance = Callable[[Singles, Singles], Singles]  # x and y in radii to the signed distance in radii

_PALETTE = np.array(list(COLOURS.values()), dtype=np.float32)
_GROUND = np.array(list(BACKGROUNDS.values()), dtype=np.float32)


def render(scenes: Scenes, resolution: int) -> NDArray[np.uint8]:
    """Images [N, 3, H, W] of these scenes, H = W = resolution."""
    ground = _GROUND[scenes.background][:, :, None, None]
    image = np.broadcast_to(ground, (len(scenes), 3, resolution, resolution)).copy()
    for k in range(MOST):
        rows = np.flatnonzero(scenes.count > k)
        cover = coverage(scenes.shape[rows, k], scenes.radius[rows, k], scenes.centre[rows, k], resolution)
        colour = _PALETTE[scenes.colour[rows, k]][:, :, None, None]
        image[rows] += cover[:, None] * (colour - image[rows])
    return np.rint(image).astype(np.uint8)


def coverage(shape: NDArray[np.int64], radius: Floats, centre: Floats, resolution: int) -> NDArray[np.float32]:
    """How much of each pixel [M, H, W] the objects cover; shape [M], radius [M], centre [M, 2] in canvas widths."""
    at = ((np.arange(resolution) + 0.5) / resolution).astype(np.float32)
    r = radius.astype(np.float32)[:, None, None]
    x = (at[None, None, :] - centre[:, 0, None, None].astype(np.float32)) / r  # [M, 1, W], in radii
    y = (at[None, :, None] - centre[:, 1, None, None].astype(np.float32)) / r  # [M, H, 1]
    d = np.empty((len(shape), resolution, resolution), dtype=np.float32)
    for s, name in enumerate(SHAPES):
        rows = np.flatnonzero(shape == s)
        if len(rows):
            d[rows] = DISTANCES[name](x[rows], y[rows])
    return np.clip(0.5 - d * r * resolution, 0, 1)


def _circle(x: Singles, y: Singles) -> Singles:
    return np.sqrt(x * x + y * y) - 1


def _ring(x: Singles, y: Singles) -> Singles:
    return np.abs(np.sqrt(x * x + y * y) - np.float32(0.78)) - np.float32(0.24)


def _box(x: Singles, y: Singles, w: float, h: float) -> Singles:
    p, q = np.abs(x) - w, np.abs(y) - h
    return np.sqrt(np.maximum(p, 0) ** 2 + np.maximum(q, 0) ** 2) + np.minimum(np.maximum(p, q), 0)


def _square(x: Singles, y: Singles) -> Singles:
    return _box(x, y, 0.88, 0.88)


def _cross(x: Singles, y: Singles) -> Singles:
    return np.minimum(_box(x, y, 1.0, 0.32), _box(x, y, 0.32, 1.0))


def _triangle(x: Singles, y: Singles) -> Singles:
    """Apex up; three half-planes. Its centroid is the centre, so it reaches 1.2 up and 0.6 down."""
    slope = np.float32(np.sqrt(3.0) / 2)
    return np.maximum(y - 0.6, slope * np.abs(x) - 0.5 * y - 0.6)


def _star(x: Singles, y: Singles) -> Singles:
    """Five points, one up: the exact distance to a pentagram's outline by folding the plane onto half a point."""
    outer, inner = 1.15, 0.5
    a = np.mod(np.arctan2(x, -y) + np.pi / 5, 2 * np.pi / 5) - np.pi / 5
    rho = np.sqrt(x * x + y * y)
    p, q = rho * np.cos(a), rho * np.abs(np.sin(a))  # a point of the star lies on the p axis
    ex, ey = inner * np.cos(np.pi / 5) - outer, inner * np.sin(np.pi / 5)  # the edge from its tip to its notch
    length = np.hypot(ex, ey)
    along = np.clip(((p - outer) * ex + q * ey) / length**2, 0, 1)
    away = np.sqrt((p - outer - along * ex) ** 2 + (q - along * ey) ** 2)
    return np.where(ex * q - ey * (p - outer) > 0, -away, away).astype(np.float32)


DISTANCES: dict[str, Distance] = {
    "circle": _circle, "square": _square, "triangle": _triangle, "star": _star, "cross": _cross, "ring": _ring,
}  # fmt: skip
