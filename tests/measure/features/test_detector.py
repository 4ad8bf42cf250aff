"""What a detector is given and gives: the checks, the names of its numbers, and its digest."""

from dataclasses import dataclass

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.measure.features import describe, look, looks, named
from lodestar.measure.features.detector import digest

PIXELS = torch.randint(0, 256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@dataclass
class Means:
    """The mean of each channel."""

    name: str = "means"
    dim: int = 3
    digest: str = "0" * 16
    resize: str = "none"
    size: tuple = (3, 8, 8)

    def __call__(self, images):
        return images.float().mean((2, 3))


class Telling(Means):
    def classify(self, images):
        features = self(images)
        return features, {"brightest": features.log_softmax(1)}


def test_any_object_of_that_shape_is_a_detector():
    seen = look(Means(), PIXELS)
    assert torch.equal(seen.features, PIXELS.float().mean((2, 3)))
    assert seen.log_p == {}
    assert torch.allclose(look(Telling(), PIXELS).log_p["brightest"].exp().sum(1), torch.ones(6))
    told = describe(Means())
    assert told == {"name": "means", "dim": 3, "digest": "0" * 16, "resize": "none", "size": [3, 8, 8]}


def test_batches_are_seen_one_after_the_other():
    found = [seen.features for seen in looks(Means(), PIXELS.split(4))]
    assert [len(f) for f in found] == [4, 2]
    assert torch.equal(torch.cat(found), look(Means(), PIXELS).features)


@pytest.mark.parametrize(
    ("images", "why"),
    [
        (PIXELS / 255, r"\(255 \* images\).round\(\)"),
        (PIXELS / 127.5 - 1, "to_uint8"),
        (PIXELS.long(), "got torch.int64"),
        (PIXELS.movedim(1, -1), "movedim"),
        (PIXELS[0], r"\[B, 3, H, W\]"),
        (PIXELS[:, :1], r"\[B, 3, H, W\]"),
        ((PIXELS / 255).round().to(torch.uint8), "no value above 1: were floats from 0 to 1 made uint8"),
        (list(PIXELS), "got list"),
    ],
)
def test_what_are_no_pixels_is_refused(images, why):
    with pytest.raises(UsageError, match=why):
        look(Means(), images)


def test_black_pictures_are_warned_of():
    with pytest.warns(UserWarning, match="black"):
        look(Means(), torch.zeros_like(PIXELS))


def test_pictures_of_several_sizes_and_none_at_all_are_refused():
    with pytest.raises(UsageError, match="several sizes cannot be compared: 3x8x8 and 3x4x4"):
        list(looks(Means(), [PIXELS, PIXELS[..., :4, :4]]))
    with pytest.raises(UsageError, match="no pictures"):
        list(looks(Means(), []))


@pytest.mark.parametrize(
    ("gives", "why"),
    [
        (lambda f: f[:, :2], r"should give floats \[6, 3\]"),
        (lambda f: f.long(), r"should give floats \[6, 3\]"),
        (lambda f: f.masked_fill(torch.arange(6)[:, None] == 4, float("nan")), "nan or infinity for picture 4"),
    ],
)
def test_a_detector_that_does_not_do_what_it_should_is_named(gives, why):
    class Wrong(Means):
        def __call__(self, images):
            return gives(super().__call__(images))

    with pytest.raises(UsageError, match=f"detector 'means' .*{why}"):
        look(Wrong(), PIXELS)


def test_only_inceptions_distance_is_called_fid():
    assert (named("FD", Means()), named("recall", Means())) == ("FD-means", "recall-means")
    inception = Means("inception")
    assert [named(m, inception) for m in ("FD", "KD", "IS", "recall")] == ["FID", "KID", "IS", "recall-inception"]
    assert named("FD", Means("inception-0a1b2c3d")) == "FD-inception-0a1b2c3d"


def test_the_digest_is_of_names_and_values_in_single_precision():
    weights = {"b": torch.ones(2, dtype=torch.float16), "a": torch.zeros(3)}
    assert digest(weights) == digest({"a": torch.zeros(3, dtype=torch.float64), "b": torch.ones(2)})
    assert digest(weights) != digest({**weights, "a": torch.ones(3)})
    assert digest(weights) != digest({"b": weights["b"], "c": weights["a"]})
    assert len(digest(weights)) == 16
