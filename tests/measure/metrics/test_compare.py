"""One pass over all pairs tells what each metric tells alone."""

from clouds import cloud

from lodestar.measure.metrics import Moments, compare, frechet, kid, manifold
from lodestar.measure.metrics.kid import draw


def test_the_numbers_are_those_of_each_metric():
    real, generated = cloud(300, 8, 0), cloud(200, 8, 1, 1.1)
    subsets = draw(300, 200, 3, 50)
    found, alone = compare(real, generated, subsets), manifold(real, generated)
    assert found.frechet == frechet(Moments.of(generated), Moments.of(real))
    assert found.kid == kid(real, generated, subsets)
    assert found.manifold.inside.equal(alone.inside)
    assert (found.manifold.recall, found.manifold.balls) == (alone.recall, alone.balls)
    assert found.manifold.coverage == alone.coverage
