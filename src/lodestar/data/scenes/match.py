"""Which shape a blob is: least squares over shape, radius, sub-pixel centre, blur and colour.

The reader's second half. With a template t [P, P] and a blob d [3, P, P] (image minus ground), the colour that fits
best is c = <t, d> / <t, t>, and what it leaves is |d|^2 - |c|^2 |t|^2: neither colour nor strength enters the choice of
shape. A bank of templates finds the shape; one Gauss-Newton step from the bank's grid finds the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from .render import coverage
from .segment import Blobs, Pixels
from .world import LARGE, SHAPES, SMALL, Floats, Ints

STEP = 0.25  # pixels between the radii and between the centres of the bank
SPREAD = 0.75  # pixels: how far a template's mass centre may lie from the middle of its window
SLACK = 0.88  # radii from SLACK * the least to the most / SLACK
BLURS = (0.0, 0.4)  # pixels^2, variances: generated edges are softer than rendered ones
SOFTEST = 1.2  # pixels^2
SMOOTH = 0.6  # pixels^2: before what a fit leaves is weighed
TOLERANCE = 12.0  # of 255, Euclidean: a pixel may be this far off the fitted colour for nothing
ROOM = 1.25  # the widest shape reaches this many radii


@dataclass(frozen=True)
class Pose:
    """M objects in windows of `side` pixels, all lengths in pixels."""

    shape: Ints  # [M]
    radius: Floats  # [M]
    centre: Floats  # [M, 2] x, y from the middle of the window
    blur: Floats  # [M] variance

    def __getitem__(self, rows: Ints) -> Pose:
        return Pose(self.shape[rows], self.radius[rows], self.centre[rows], self.blur[rows])

    def moved(self, by: Floats) -> Pose:
        """Changed by [M, 4]: x, y, radius, blur."""
        blur = np.clip(self.blur + by[:, 3], 0, SOFTEST)
        return Pose(self.shape, self.radius + by[:, 2], self.centre + by[:, :2], blur)

    def pixels(self, side: int) -> Pixels:
        """Coverage [M, P*P], P = side."""
        sharp = coverage(self.shape, self.radius / side, (self.centre + side / 2) / side, side)
        return _blur(sharp, self.blur.astype(np.float32)).reshape(len(sharp), side * side)


@dataclass(frozen=True)
class Bank:
    """K templates in windows of P by P pixels, in the order of SHAPES."""

    pose: Pose
    unit: Pixels  # [K, P*P] coverage over its norm
    side: int  # P


@dataclass(frozen=True)
class Matches:
    """The best fit to each of M blobs."""

    shape: Ints  # [M]
    radius: Floats  # [M] canvas widths
    centre: Floats  # [M, 2] canvas widths
    colour: Pixels  # [M, 3] fitted, minus the ground
    left: Pixels  # [M] share of the blob's energy that the fit leaves, beyond what TOLERANCE forgives
    doubt: Pixels  # [M] what the fit leaves, of what the best fit of another shape leaves


@cache
def bank(resolution: int) -> Bank:
    """The templates for images of this many pixels a side."""
    half = int(np.ceil(ROOM * LARGE[1] / SLACK * resolution)) + 1
    least, most = SLACK * SMALL[0] * resolution, LARGE[1] / SLACK * resolution
    axes = (np.arange(len(SHAPES)), np.arange(least, most + STEP, STEP), _offsets(), _offsets(), np.array(BLURS))
    s, r, y, x, b = (g.ravel() for g in np.meshgrid(*axes, indexing="ij"))
    pose = Pose(s, r, np.stack((x, y), 1) - _mass_centre()[s] * r[:, None], b)
    pixels = pose.pixels(2 * half + 1)
    return Bank(pose, pixels / np.linalg.norm(pixels, axis=1, keepdims=True), 2 * half + 1)


def _offsets() -> Floats:
    return np.arange(-SPREAD, SPREAD + STEP / 2, STEP)


def _mass_centre() -> Floats:
    """Where each shape's mass lies from its centre [6, 2], in radii."""
    n = len(SHAPES)
    cover = coverage(np.arange(n), np.full(n, 0.3), np.full((n, 2), 0.5), 256).astype(np.float64)
    at = ((np.arange(256) + 0.5) / 256 - 0.5) / 0.3
    mass = cover.sum((1, 2))
    return np.stack(((cover.sum(1) @ at) / mass, (cover.sum(2) @ at) / mass), 1)


def _blur(x: Pixels, variance: Pixels) -> Pixels:
    """[M, P, P] blurred by [M] pixels^2: per axis the kernel (a, 1 - 2a, a) applied twice, of variance 4a."""
    a = (variance / 4)[:, None, None]
    for axis in (1, 2, 1, 2):
        x = x + a * (np.roll(x, 1, axis) + np.roll(x, -1, axis) - 2 * x)
    return x


def match(blobs: Blobs) -> tuple[Matches, Pixels]:
    """The best fit to every blob, and what all of them leave unexplained of the images [N, 3, R, R]."""
    resolution = blobs.cover.shape[-1]
    templates = bank(resolution)
    side = templates.side
    window, own = _windows(blobs, side)  # [M, 3, P*P], [M, P*P]
    grey = _grey(window)
    pose, rival = (_refine(grey, own, templates.pose[k], side) for k in _choose(grey @ templates.unit.T))
    t = pose.pixels(side)
    soft = _smooth(window)
    colour, left = _fit(soft, _smooth(t * own))
    doubt = (left / np.maximum(_fit(soft, _smooth(rival.pixels(side) * own))[1], 1e-6)).astype(np.float32)
    beyond = _beyond(soft, colour, _smooth(t * own))
    x, y = _corner(blobs, side)
    centre = (np.stack((x, y), 1) + side / 2 + pose.centre) / resolution
    matches = Matches(pose.shape, pose.radius / resolution, centre, colour, beyond, doubt)
    return matches, _unexplained(blobs, colour, t, side)


def _corner(blobs: Blobs, side: int) -> tuple[Ints, Ints]:
    """The top left pixel (x, y), each [M], of each blob's window."""
    return np.rint(blobs.x).astype(np.int64) - side // 2, np.rint(blobs.y).astype(np.int64) - side // 2


def _places(blobs: Blobs, side: int) -> tuple[Ints, Ints, Ints]:
    """Index arrays that cut the windows [M, P, P] out of images padded by P on every side."""
    x, y = _corner(blobs, side)
    at = np.arange(side) + side
    return blobs.image[:, None, None], (y[:, None] + at)[:, :, None], (x[:, None] + at)[:, None, :]


def _windows(blobs: Blobs, side: int) -> tuple[Pixels, Pixels]:
    """Each blob cut out [M, 3, P*P], zero where a pixel is another's or nobody's; 0 where it is another's [M, P*P]."""
    i, y, x = _places(blobs, side)
    pad = ((0, 0), (side, side), (side, side))
    owner = np.pad(blobs.owner, pad)[i, y, x]
    own = owner == blobs.name[:, None, None]
    cut = np.stack([np.pad(blobs.difference[:, c], pad)[i, y, x] for c in range(3)], 1) * own[:, None]
    free = (own | (owner == 0)).astype(np.float32)
    return cut.reshape(len(own), 3, side * side), free.reshape(len(own), side * side)


def _grey(window: Pixels) -> Pixels:
    """The blobs [M, P*P] along their own main colours."""
    main = window.sum(-1)  # [M, 3]
    main /= np.maximum(np.linalg.norm(main, axis=1, keepdims=True), 1e-6)
    return np.asarray(np.einsum("mcp,mc->mp", window, main))


def _choose(score: Pixels) -> tuple[Ints, Ints]:
    """From correlations [M, K] the best template [M], and the best of another shape [M]."""
    each = score.shape[1] // len(SHAPES)
    by_shape = score.reshape(-1, len(SHAPES), each)
    at = by_shape.argmax(2)  # [M, 6]
    order = np.argsort(-by_shape.max(2), 1)
    first, second = order[:, 0], order[:, 1]
    rows = np.arange(len(score))
    return first * each + at[rows, first], second * each + at[rows, second]


def _refine(grey: Pixels, own: Pixels, pose: Pose, side: int) -> Pose:
    """One Gauss-Newton step in x, y, radius and blur from the grid, no longer than the grid is wide."""
    here = pose.pixels(side)
    eye = np.eye(4) * np.array((0.2, 0.2, 0.2, 0.2))
    ways = [(pose.moved(np.broadcast_to(e, (len(here), 4))).pixels(side) - here) / 0.2 for e in eye]
    basis = np.stack([here, *ways], 1) * own[:, None]  # [M, 5, P*P]
    square = basis @ basis.transpose(0, 2, 1) + 1e-3 * np.eye(5, dtype=np.float32)
    step = np.linalg.solve(square, basis @ grey[..., None])[..., 0]  # [M, 5]
    by = step[:, 1:] / np.where(np.abs(step[:, :1]) > 1e-3, step[:, :1], 1)
    return pose.moved(np.clip(by, -STEP, STEP).astype(np.float64))


def _fit(window: Pixels, t: Pixels) -> tuple[Pixels, Pixels]:
    """The colour [M, 3] that fits best, and the share [M] of the blob's energy that it leaves; both smoothed."""
    square = np.maximum((t**2).sum(1), 1e-6)
    colour = np.einsum("mcp,mp->mc", window, t) / square[:, None]
    energy = np.maximum((window**2).sum((1, 2)), 1e-6)
    return colour, np.maximum(1 - (colour**2).sum(1) * square / energy, 0)


def _beyond(window: Pixels, colour: Pixels, t: Pixels) -> Pixels:
    """The share [M] of the blob's energy that the fit leaves, where it misses a pixel by more than TOLERANCE."""
    miss = np.sqrt(((window - colour[..., None] * t[:, None]) ** 2).sum(1))  # [M, P*P]
    energy = np.maximum((window**2).sum((1, 2)), 1e-6)
    return np.asarray((np.maximum(miss - TOLERANCE, 0) ** 2).sum(1) / energy)


def _smooth(x: Pixels) -> Pixels:
    """[M, ..., P*P] under a 3x3 binomial-like kernel: noise goes, what is malformed stays."""
    side = math.isqrt(x.shape[-1])
    return _blur(x.reshape(-1, side, side), np.full(1, SMOOTH, dtype=np.float32)).reshape(x.shape)


def _unexplained(blobs: Blobs, colour: Pixels, t: Pixels, side: int) -> Pixels:
    """The images minus their grounds minus every fit: [N, 3, R, R]."""
    i, y, x = _places(blobs, side)
    pad = ((0, 0), (0, 0), (side, side), (side, side))
    left = np.pad(blobs.difference, pad)
    t = t.reshape(-1, side, side)
    for c in range(3):
        np.subtract.at(left[:, c], (i, y, x), colour[:, c, None, None] * t)
    return left[:, :, side:-side, side:-side]
