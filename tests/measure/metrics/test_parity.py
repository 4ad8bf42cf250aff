"""The same numbers as torch-fidelity's and torchmetrics', to 1e-6 of their size, on random features."""

import pytest
import torch
from clouds import cloud
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from lodestar.measure.metrics import Moments, frechet, inception_score, kid, manifold
from lodestar.measure.metrics.kid import draw

SETS = {  # real and generated
    "plain": lambda: (cloud(600, 48, 0), cloud(500, 48, 1, 1.1, 0.1)),
    "alike": lambda: (torch.randn(600, 48, generator=_g(0)).double(), torch.randn(500, 48, generator=_g(1)).double()),
    "rectified": lambda: (cloud(600, 48, 0, shift=-0.3).relu(), cloud(500, 48, 1, 1.1, -0.3).relu()),
    "single precision": lambda: (cloud(600, 48, 0, dtype=torch.float32), cloud(500, 48, 1, 2.0, 1.0, torch.float32)),
}


def _g(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=SETS.values(), ids=SETS, name="sets")
def _sets(request):
    return request.param()


def test_frechet_distance(sets):
    ours = frechet(*map(Moments.of, sets))
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(x.double()) for x in sets), False)
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    real, generated = (x.double() for x in sets)
    both = _compute_fid(real.mean(0), torch.cov(real.T), generated.mean(0), torch.cov(generated.T))
    assert ours == pytest.approx(float(both), rel=1e-6)


def test_kernel_distance_with_the_same_subsets(sets):
    asked = {"kid_subsets": 10, "kid_subset_size": 300, "verbose": False}
    theirs = kid_features_to_metric(*(x.double() for x in sets), **asked)
    subsets = draw(600, 500, 10, 300)
    ours = kid(*sets, subsets)
    rel = 1e-6 if sets[0].dtype == torch.float64 else 1e-5  # torch-fidelity's own loses more in single precision
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=rel)
    assert ours.std == pytest.approx(theirs["kernel_inception_distance_std"], rel=rel)
    each = [float(poly_mmd(sets[0][i].double(), sets[1][j].double())) for i, j in zip(*subsets, strict=True)]
    assert ours.values == pytest.approx(each, rel=rel)


def test_inception_score(sets):
    ours, theirs = inception_score(3 * sets[0]), isc_features_to_metric(3 * sets[0])
    assert ours.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert ours.std == pytest.approx(theirs["inception_score_std"], rel=1e-6)


@pytest.mark.parametrize("k", [3, 5])
def test_precision_and_recall(sets, k):
    real, generated = sets
    ours = manifold(real, generated, k=k)
    theirs = prc_features_to_metric(generated.double(), real.double(), prc_neighborhood=k, verbose=False)
    assert (ours.precision, ours.recall) == pytest.approx((theirs["precision"], theirs["recall"]), rel=1e-6)
