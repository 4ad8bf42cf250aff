"""The reader's errors, measured: true captions it refuses, false ones it accepts, malformed pictures it lets pass."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from spoil import cover, inside, noisy, painted, some

from lodestar.data.scenes.captions import captions, claims
from lodestar.data.scenes.reader import Reading, accepts, agrees, failure, meaning, read
from lodestar.data.scenes.render import render
from lodestar.data.scenes.world import BACKGROUNDS, COLOURS, SHAPES
from lodestar.data.scenes.wrong import KINDS, variants
from lodestar.errors import UsageError


def readings(n: int, resolution: int, blur: float = 0.0) -> tuple[list[Reading], list]:
    """Noisy scenes read, with what is said of them; half of them of training, half with held-out combinations."""
    seen, composed = some(n // 2), some(n // 2, held_out=True)
    images = np.concatenate([render(s, resolution) for s in (seen, composed)])
    return read(noisy(images, blur=blur)), [*claims(seen), *claims(composed)]


@pytest.mark.parametrize(
    ("resolution", "n", "blur"), [(32, 2000, 0.0), (32, 1000, 0.7), (24, 1000, 0.0), (48, 600, 1.0), (64, 600, 0.0)]
)
def test_the_errors_of_the_reader(resolution: int, n: int, blur: float) -> None:
    got, said = readings(n, resolution, blur)
    right = sum(agrees(r, c) for r, c in zip(got, said, strict=True))
    assert right >= 0.995 * n
    rng = np.random.default_rng(0)
    every, wrong = Counter(), Counter()
    for reading, claim in zip(got, said, strict=True):
        for kind, false in variants(claim, rng).items():
            every[kind] += 1
            wrong[kind] += agrees(reading, false)
    assert set(every) == set(KINDS)
    assert all(wrong[kind] <= 0.01 * every[kind] for kind in KINDS), wrong


def test_at_128_pixels() -> None:
    scenes = some(100)
    assert accepts(noisy(render(scenes, 128), blur=2.0), captions(scenes)).all()


def test_at_16_pixels_it_reaches_its_limit() -> None:
    """A ring there is one pixel wide: true pictures are lost, but nothing false is accepted."""
    got, said = readings(600, 16)
    assert np.mean([agrees(r, c) for r, c in zip(got, said, strict=True)]) > 0.9
    rng = np.random.default_rng(0)
    assert not any(agrees(r, false) for r, c in zip(got, said, strict=True) for false in variants(c, rng).values())


def test_it_measures_centre_and_radius() -> None:
    scenes = some(300)
    for i, reading in enumerate(read(noisy(render(scenes, 32)))):
        want = {(scenes.colour[i, k], scenes.shape[i, k]): k for k in range(scenes.count[i])}
        for found in reading.objects:
            k = want[list(COLOURS).index(str(found.colour)), SHAPES.index(str(found.shape))]
            assert np.abs(np.array(found.centre) - scenes.centre[i, k]).max() < 0.01
            assert abs(found.radius - scenes.radius[i, k]) < 0.01
        assert reading.background == list(BACKGROUNDS)[scenes.background[i]]


RED_CIRCLE = meaning("a red circle")


def shows(image: NDArray[np.uint8], caption: str = "a red circle") -> str | None:
    """What the reader finds wrong with one picture."""
    return failure(read(noisy(image))[0], meaning(caption))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("off", [-20.0, 20.0])
def test_slightly_off_colours_do_not_matter(colour: str, off: float) -> None:
    image = painted((cover("star"), colour), ground=240, off=off)
    assert shows(image, f"a {colour} star on white") is None


@pytest.mark.parametrize("shape", SHAPES)
def test_uneven_colours_do_not_matter(shape: str) -> None:
    """Slow waves of up to 16 of 255 over the whole picture, as generated pictures have."""
    image = painted((cover(shape), "red"), ground=160).astype(float)
    wave = 8 * np.sin(np.arange(32) * 0.7)
    spoiled = np.clip(image + wave + wave[:, None], 0, 255).astype(np.uint8)
    assert shows(spoiled, f"a red {shape}") is None


@pytest.mark.parametrize("rgb", [(246, 140, 36), (120, 60, 40), (255, 150, 200), (90, 90, 90)])
def test_colours_without_a_name_are_refused(rgb: tuple[int, int, int]) -> None:
    a = cover("circle")
    image = np.rint(255 + a * (np.array(rgb)[:, None, None] - 255.0)).astype(np.uint8)[None]
    assert shows(image) in ("colour", "shape", "count", "dirt")


def rotated(shape: str, degrees: float, side: int = 32) -> NDArray[np.float32]:
    """A shape turned about the middle of the canvas."""
    from lodestar.data.scenes.render import DISTANCES

    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return inside(lambda x, y: DISTANCES[shape](x * c - y * s, x * s + y * c) <= 0, side=side)


MALFORMED = {
    "between star and cross": 0.5 * cover("star") + 0.5 * cover("cross"),
    "star and cross in one": np.maximum(cover("star"), cover("cross")),
    "between circle and ring": 0.5 * cover("circle") + 0.5 * cover("ring"),
    "half a disc": inside(lambda x, y: (x * x + y * y < 1) & (y < 0)),
    "a disc with a bite": inside(lambda x, y: (x * x + y * y < 1) & ((x - 0.9) ** 2 + y * y > 0.16)),
    "an ellipse": inside(lambda x, y: x * x + 1.7 * y * y < 1),
    "a rectangle": inside(lambda x, y: (np.abs(x) < 0.9) & (np.abs(y) < 0.65)),
    "a six-pointed star": np.maximum(cover("triangle"), cover("triangle")[::-1]),
    "a cross without an arm": cover("cross") * (np.arange(32) > 13)[:, None],
    "a star without its top": cover("star") * (np.arange(32) > 13)[:, None],
    "a broken ring": cover("ring") * ~((np.abs(np.arange(32) - 15.5) < 2)[:, None] & (np.arange(32) > 16)),
    "a diamond": rotated("square", 45),
    "a turned cross": rotated("cross", 45),
    "a triangle on its tip": rotated("triangle", 180),
    "a far too large circle": cover("circle", 0.3),
    "a far too small circle": cover("circle", 0.09),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("ground", [255, 160, 16])
def test_malformed_shapes_are_refused(name: str, ground: int) -> None:
    reading = read(noisy(painted((MALFORMED[name].astype(np.float32), "red"), ground=ground)))[0]
    assert reading.fault is not None or not reading.objects


def test_the_malformed_are_not_refused_for_being_drawn_by_hand() -> None:
    image = painted((inside(lambda x, y: x * x + y * y < 1), "red"))
    assert shows(image) is None


def test_a_stray_blob_is_refused() -> None:
    image = painted((cover("circle"), "red"))
    assert shows(image) is None
    image[0, :, 2:5, 2:5] = np.array(COLOURS["blue"])[:, None, None]
    assert shows(image) == "dirt"


@pytest.mark.parametrize("ground", [255, 160, 16])
def test_a_ghost_is_refused(ground: int) -> None:
    """A second object at half its strength."""
    image = painted((cover("circle", 0.15, 0.25), "red"), (0.45 * cover("square", 0.14, 0.75), "blue"), ground=ground)
    assert shows(image) is not None


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_touching_objects_are_refused(colour: str) -> None:
    apart = painted((cover("circle", 0.15, 0.25), "red"), (cover("square", 0.15, 0.7), colour))
    touch = painted((cover("circle", 0.15, 0.33), "red"), (cover("square", 0.15, 0.6), colour))
    caption = f"a red circle left of a {colour} square"
    assert shows(apart, caption) is None
    assert shows(touch, caption) is not None


def test_an_object_of_two_colours_is_refused() -> None:
    a = cover("square")
    left = np.arange(32) < 16
    assert shows(painted((a * left, "red"), (a * ~left, "blue")), "a red square") is not None


def test_an_empty_picture_shows_nothing() -> None:
    reading = read(np.full((1, 3, 32, 32), 255, dtype=np.uint8))[0]
    assert reading == Reading("white", (), 0.0)
    assert failure(reading, RED_CIRCLE) == "count"


def test_noise_is_no_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    assert not accepts(noise, ["a red circle"] * 20).any()


@pytest.mark.parametrize(
    ("caption", "fault"),
    [
        ("a red circle left of a blue square on white", None),
        ("a blue square right of a red circle", None),
        ("a blue square and a red circle", None),
        ("a large red circle and a small blue square", None),
        ("a red circle", "count"),
        ("a red circle, a blue square and a green star", "count"),
        ("a red circle and a blue star", "object"),
        ("a red circle and a green square", "object"),
        ("a blue circle and a red square", "object"),
        ("a small red circle and a blue square", "size"),
        ("a red circle right of a blue square", "relation"),
        ("a red circle above a blue square", "relation"),
        ("a red circle and a blue square on black", "background"),
    ],
)
def test_what_is_wrong_is_said(caption: str, fault: str | None) -> None:
    image = painted((cover("circle", 0.2, 0.3), "red"), (cover("square", 0.14, 0.75), "blue"))
    assert shows(image, caption) == fault


def test_a_place_is_checked() -> None:
    image = painted((cover("circle", 0.15, 0.25, 0.25), "red"))
    assert shows(image, "a red circle at the top left") is None
    assert shows(image, "a red circle at the top") == "place"


def test_an_image_is_read_alone() -> None:
    """Objects do not depend on the batch; positions only by rounding, which differs with the size of a product."""
    images = noisy(render(some(30), 32))
    for many, one in zip(read(images, chunk=7), (read(images[i : i + 1])[0] for i in range(30)), strict=True):
        assert [(o.colour, o.shape) for o in many.objects] == [(o.colour, o.shape) for o in one.objects]
        assert [o.centre for o in many.objects] == [pytest.approx(o.centre, abs=1e-3) for o in one.objects]


@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (3, 32, 32), (1, 3, 32, 24)])
def test_wrong_layouts_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="uint8 images"):
        read(np.zeros(shape, dtype=np.uint8))


def test_foreign_captions_are_named() -> None:
    with pytest.raises(UsageError, match="'a cat' is no caption"):
        accepts(np.zeros((1, 3, 32, 32), dtype=np.uint8), ["a cat"])
