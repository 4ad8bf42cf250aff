"""Pictures of scenes, and ways to spoil them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lodestar.data.scenes.render import coverage
from lodestar.data.scenes.world import COLOURS, SHAPES, Scenes, draw

Images = NDArray[np.uint8]
SIGMA = 0.05 * 127.5  # of 255: mild noise, 0.05 where pixels are -1 to 1


def noisy(images: Images, seed: int = 0, blur: float = 0.0) -> Images:
    """Blurred by `blur` pixels (standard deviation), then with mild noise."""
    noise = np.random.default_rng(seed).normal(0, SIGMA, images.shape)
    return np.clip(np.rint(blurred(images, blur) + noise), 0, 255).astype(np.uint8)


def blurred(images: Images, sigma: float) -> NDArray[np.float64]:
    if sigma == 0:
        return images.astype(np.float64)
    at = np.arange(-9, 10)
    kernel = np.exp(-0.5 * (at / sigma) ** 2)
    wide = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (9, 9), (9, 9)), mode="edge")
    for axis in (2, 3):
        wide = np.apply_along_axis(np.convolve, axis, wide, kernel / kernel.sum(), mode="same")
    return wide[:, :, 9:-9, 9:-9]


def some(n: int, held_out: bool = False, start: int = 10**7) -> Scenes:
    return draw(np.arange(start, start + n), held_out)


def cover(shape: str, radius: float = 0.2, x: float = 0.5, y: float = 0.5, side: int = 32) -> NDArray[np.float32]:
    """Coverage [H, W] of one object."""
    return coverage(np.array([SHAPES.index(shape)]), np.array([radius]), np.array([[x, y]]), side)[0]


def painted(*layers: tuple[NDArray[np.float32], str], ground: int = 255, off: float = 0.0) -> Images:
    """One image [1, 3, H, W]: coverages in colours, one over the other, on grey of this brightness."""
    image = np.full((3, *layers[0][0].shape), float(ground))
    for a, colour in layers:
        image += a * (np.array(COLOURS[colour], dtype=float)[:, None, None] + off - image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)[None]


def inside(
    where: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]],
    radius: float = 0.2,
    side: int = 32,
    x: float = 0.5,
    y: float = 0.5,
) -> NDArray[np.float32]:
    """Coverage [H, W] of any figure, given in radii from its centre, by 8 x 8 samples a pixel."""
    at = (np.arange(8 * side) + 0.5) / (8 * side)
    p, q = np.meshgrid((at - x) / radius, (at - y) / radius)
    return where(p, q).reshape(side, 8, side, 8).mean((1, 3)).astype(np.float32)
