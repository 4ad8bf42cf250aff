"""FD, KID, precision and recall of 10,000 features of 2,048 columns against as many: ours, torch-fidelity, plain form.

The plain form is what the papers' formulas become in numpy and scipy, in float64: cov and sqrtm, the kernel of each
subset, all distances by one matrix product. Features are given in single precision, as detectors give them. The values
are compared too: a difference is relative, and of a share of balls absolute. Ours is also run in a process of its own,
whose peak memory is read; the features, 164 MB, are in it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from lodestar.core import generator
from lodestar.measure.metrics import compare
from lodestar.measure.metrics.kid import SEED, SIZE, SUBSETS, draw

from .interleave import interleaved, ratio, series
from .kernels import declare
from .machine import machine
from .options import Options
from .report import Finding, Report

OURS, FIDELITY, PLAIN = "lodestar", "torch-fidelity", "numpy and scipy"
FASTER = {FIDELITY: 2.0, PLAIN: 5.0}  # targets: times
MEMORY = 2.0  # GiB
NEAR = 1e-3  # KID's own digits in single precision, which torch-fidelity sums in
K = 3  # neighbours
Values = Mapping[str, float]


@dataclass(frozen=True)
class Size:
    n: int = 10_000  # of each set
    dim: int = 2048
    subsets: int = SUBSETS
    size: int = SIZE  # of a subset


QUICK = Size(300, 32, 5, 100)


@dataclass(frozen=True)
class Timed:
    seconds: float
    values: Values


def measure(options: Options) -> Report:
    before, size = machine(options.device), QUICK if options.quick else Size()
    real, generated = features(size)
    sides = {OURS: ours, FIDELITY: fidelity, PLAIN: plain}
    found = interleaved({k: partial(timed, run, real, generated, size) for k, run in sides.items()}, options.rounds)
    times = {name: series(name, "s", (t.seconds for t in runs)) for name, runs in found.items()}
    memory = series(f"{OURS}, peak memory", "GiB", [peak(options) for _ in range(options.rounds)])
    findings = [
        Finding(f"{name} / {OURS}, seconds", ratio(times[name], times[OURS]), target, "at least")
        for name, target in FASTER.items()
    ]
    findings.append(Finding("peak memory, GiB", memory.median, MEMORY, "at most"))
    findings += [
        Finding(f"furthest value from {name}'s", apart(found[OURS][0].values, found[name][0].values), NEAR, "at most")
        for name in FASTER
    ]
    settings = vars(size) | {f"{k} of {OURS}": f"{v:.6g}" for k, v in found[OURS][0].values.items()}
    title = "Frechet distance, kernel distance, precision and recall"
    return Report("metrics", title, settings, [*times.values(), memory], findings, machine=before)


def features(size: Size) -> tuple[Tensor, Tensor]:
    """Rectified, correlated, a few directions with most of the spread, as those of a trained network are."""
    mix = torch.randn(size.dim, size.dim, generator=generator(0)) * torch.logspace(0, -2, size.dim)[:, None]
    real, generated = (torch.randn(size.n, size.dim, generator=generator(i)) for i in (1, 2))
    return (real @ mix).relu(), (1.05 * generated @ mix + 0.2).relu()


def timed(run: Callable[[Tensor, Tensor, Size], Values], real: Tensor, generated: Tensor, size: Size) -> Timed:
    start = perf_counter()
    values = run(real, generated, size)
    return Timed(perf_counter() - start, values)


def apart(ours: Values, theirs: Values) -> float:
    share = {"precision", "recall"}
    return max(abs(v - theirs[k]) / (1 if k in share else abs(theirs[k])) for k, v in ours.items())


def ours(real: Tensor, generated: Tensor, size: Size) -> Values:
    found = compare(real, generated, draw(len(real), len(generated), size.subsets, size.size), k=K)
    shares = {"precision": found.manifold.precision, "recall": found.manifold.recall}
    return {"FD": found.frechet, "KID": found.kid.mean, **shares}


def fidelity(real: Tensor, generated: Tensor, size: Size) -> Values:
    declare()
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    statistics = (fid_features_to_statistics(x) for x in (generated, real))
    asked = {"kid_subsets": size.subsets, "kid_subset_size": size.size, "rng_seed": SEED, "prc_neighborhood": K}
    kid = kid_features_to_metric(real, generated, **asked, verbose=False)
    shares = prc_features_to_metric(generated, real, **asked, verbose=False)
    return {
        "FD": fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"],
        "KID": kid["kernel_inception_distance_mean"],
        "precision": shares["precision"],
        "recall": shares["recall"],
    }


def plain(real: Tensor, generated: Tensor, size: Size) -> Values:
    x, y = (features.numpy().astype(np.float64) for features in (real, generated))
    first, second = (rows.numpy() for rows in draw(len(x), len(y), size.subsets, size.size))
    kid = [_mmd(x[i], y[j]) for i, j in zip(first, second, strict=True)]
    ball, other = (np.partition(_distances(z, z), K, 1)[:, K] for z in (x, y))
    between = _distances(x, y)
    inside, reached = (between <= ball[:, None]).any(0), (between <= other).any(1)
    shares = {"precision": float(inside.mean()), "recall": float(reached.mean())}
    return {"FD": _frechet(x, y), "KID": float(np.mean(kid)), **shares}


def _frechet(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.linalg import sqrtm

    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    apart = x.mean(0) - y.mean(0)
    return float(apart @ apart + np.trace(a + b - 2 * sqrtm(a @ b).real))


def _mmd(x: np.ndarray, y: np.ndarray) -> float:
    own, other, both = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    m = len(x)
    return (own.sum() - np.trace(own) + other.sum() - np.trace(other)) / (m * (m - 1)) - 2 * both.mean()


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squared = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
    np.maximum(squared, 0, out=squared)
    return squared


def peak(options: Options) -> float:
    """GiB that a process of its own holds at most while ours runs."""
    size = "QUICK" if options.quick else "Size()"
    code = f"""
import torch
from benchmarks.metrics import QUICK, Size, features, ours
torch.set_num_threads({torch.get_num_threads()})
ours(*features({size}), {size})
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]  # ru_maxrss is the parent's too
print(int(line.split()[1]) / 2**20)
"""
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
