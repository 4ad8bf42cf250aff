"""What is seen of a stream does not depend on its batches, and is cut into splits of whole prompts."""

import pytest
import torch
from benches import Colours, Telling, pictures

from lodestar.errors import UsageError
from lodestar.measure.gathering import Gathered, Gathering
from lodestar.measure.metrics import Moments


def gathered(images: torch.Tensor, size: int, **options: object) -> Gathered:
    gathering = Gathering(Telling(), len(images), **options)  # type: ignore[arg-type]
    for part in images.split(size):
        gathering.add(part, judge=lambda seen: {"first": seen.features[:, 0]})
    return gathering.done()


@pytest.mark.parametrize("size", [1, 7, 60])
def test_the_batches_do_not_matter(size: int) -> None:
    images = pictures(60, 0)
    whole, found = gathered(images, 30, splits=4), gathered(images, size, splits=4)
    assert all(
        a.scatter.equal(b.scatter) and a.mean.equal(b.mean) for a, b in zip(whole.parts, found.parts, strict=True)
    )
    assert whole.features.equal(found.features)
    assert whole.split.equal(found.split)
    assert whole.log_p["class"].equal(found.log_p["class"])
    assert all(whole.each[name].equal(found.each[name]) for name in ("saturation", "clipped", "first"))


def test_the_splits_add_up_to_all() -> None:
    images = pictures(61, 0)
    found, alone = gathered(images, 20, splits=5), Moments.of(Colours()(images))
    assert found.moments.n == 61
    assert [part.n for part in found.parts] == [13, 12, 12, 12, 12]
    assert found.moments.mean.allclose(alone.mean)
    assert found.moments.covariance.allclose(alone.covariance)
    assert [found.rows(i).stop - found.rows(i).start for i in range(5)] == [13, 12, 12, 12, 12]


def test_a_split_has_whole_prompts() -> None:
    found = gathered(pictures(60, 0), 20, splits=7, together=4)
    assert found.split.reshape(15, 4).diff(dim=1).abs().sum() == 0
    assert found.split.unique().tolist() == list(range(7))


def test_features_are_kept_of_the_first_and_moments_of_all() -> None:
    images = pictures(50, 0)
    found = gathered(images, 8, splits=5, keep=20)
    assert found.features.equal(Colours()(images[:20]))
    assert len(found.log_p["class"]) == 20
    assert found.moments.n == 50
    assert len(found) == 50
    assert len(found.each["saturation"]) == 50
    assert [found.kept(i) for i in range(5)] == [slice(4 * i, 4 * i + 4) for i in range(5)]


def test_what_does_not_fit_is_refused() -> None:
    gathering = Gathering(Colours(), 10)
    gathering.add(pictures(6, 0))
    with pytest.raises(UsageError, match="several sizes cannot be measured together: 8x8 and 16x16"):
        gathering.add(pictures(2, 0, side=16))
    with pytest.raises(UsageError, match="10 pictures were to come, and there are more"):
        gathering.add(pictures(5, 0))
    with pytest.raises(UsageError, match="10 pictures were to come, and 6 came"):
        gathering.done()


def test_what_is_not_known_of_every_picture_is_left_out() -> None:
    gathering = Gathering(Telling(), 40, splits=2)
    for i, part in enumerate(pictures(40, 0).split(20)):
        gathering.add(part, judge=lambda seen, i=i: {"first": seen.features[:, 0]} if i else {})  # type: ignore[misc]
    assert set(gathering.done().each) == {"saturation", "clipped"}
    gathering = Gathering(Telling(), 40, splits=2)
    for i, part in enumerate(pictures(40, 0).split(20)):
        gathering.add(part, judge=lambda seen, i=i: {} if i else {"first": seen.features[:, 0]})  # type: ignore[misc]
    assert set(gathering.done().each) == {"saturation", "clipped"}
