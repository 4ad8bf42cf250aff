import torch

from lodestar.core import Level, Prediction
from lodestar.guidance.ops import FLOOR, choose, dot, scale_v, std

A = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))


def flow(u: float) -> Level:
    s, one = torch.tensor(u, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    return Level(1 - s, s, -one, one)


def test_std_is_per_sample_about_the_mean_over_all_axes_in_float64():
    assert std(A).dtype == torch.float64
    assert torch.allclose(std(A + 100), torch.stack([a.double().std(correction=0) for a in A]), rtol=1e-5)


def test_std_of_a_constant_is_the_floor():
    assert torch.equal(std(torch.ones(2, 3, 3)), torch.full((2,), FLOOR, dtype=torch.float64))


def test_std_survives_what_fp16_does_not():
    assert torch.allclose(std(A.half() * 1000), 1000 * std(A), rtol=1e-2)


def test_dot_is_per_sample():
    assert torch.allclose(dot(A, A), torch.stack([(a.double() ** 2).sum() for a in A]))


def test_choose_takes_each_sample_from_its_side():
    p, q = Prediction(A, -A), Prediction(2 * A, -2 * A)
    mixed = choose(torch.tensor([True, False, True]), p, q)
    assert torch.equal(mixed.x0, torch.stack([A[0], 2 * A[1], A[2]]))
    assert torch.equal(choose(torch.tensor(False), p, q).eps, q.eps)


def test_scale_v_scales_v_and_keeps_x():
    at, factor = flow(0.3), torch.tensor([1.0, 0.5, 2.0])
    p = Prediction(A, A.flip(0))
    q, a = scale_v(p, factor, at), at.like(A)
    assert torch.allclose(q.v(at), factor.reshape(3, 1, 1) * p.v(at), atol=1e-6)
    assert torch.allclose(a.alpha * q.x0 + a.sigma * q.eps, a.alpha * p.x0 + a.sigma * p.eps, atol=1e-6)
    assert torch.equal(q.x0[0], p.x0[0])
    assert torch.equal(q.eps[0], p.eps[0])
