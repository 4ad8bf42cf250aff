"""Laws of every process: round trips, derivatives, conversions at its levels."""

import pytest
import torch
from torch import Tensor

from lodestar.core import KINDS, Kind, Level, Prediction, convert
from lodestar.process import DDPM, EDM, PROCESSES, Cosine, Flow, Process

ALL: list[Process] = [
    Cosine(),
    Cosine(-4.0, 6.0),
    Flow(),
    Flow(shift=0.3),
    Flow(shift=3.0),
    EDM(),
    EDM(0.01, 20.0, 3.0),
]
ALL += [DDPM(), DDPM(scaled=True), DDPM(zero_terminal=True), DDPM(40, 1e-3, 0.3)]
U = torch.linspace(0, 1, 41, dtype=torch.float64)
every_process = pytest.mark.parametrize("process", ALL, ids=str)


def test_every_registered_process_is_here() -> None:
    assert {type(p) for p in ALL} == set(PROCESSES.values())


@every_process
def test_u_and_lam_round_trip(process: Process) -> None:
    lam = process.level(U).lam
    assert torch.allclose(process.u_of(lam), U, atol=1e-12)
    inside = lam[1:-1]
    assert torch.allclose(process.level(process.u_of(inside)).lam, inside, atol=1e-8)


@every_process
def test_lam_falls_from_clean_to_noise(process: Process) -> None:
    assert (process.level(U).lam.diff() < 0).all()


@every_process
def test_derivatives_are_autograds(process: Process) -> None:
    u = U.clone().requires_grad_()
    level = process.level(u)
    for value, derivative in ((level.alpha, level.d_alpha), (level.sigma, level.d_sigma)):
        still = not value.requires_grad  # EDM's alpha is 1 whatever u
        expected = torch.zeros_like(u) if still else torch.autograd.grad(value.sum(), u, retain_graph=True)[0]
        assert torch.allclose(derivative, expected, rtol=1e-12, atol=1e-12)


@every_process
def test_levels_are_float64_shaped_as_u(process: Process) -> None:
    for u in (torch.tensor(0.5), torch.rand(3)):
        level = process.level(u)
        assert {f.dtype for f in level._fields()} == {torch.float64}
        assert {f.shape for f in level._fields()} == {u.shape}


@pytest.mark.parametrize("process", [p for p in ALL if isinstance(p, Cosine)], ids=str)
def test_cosine_preserves_variance_and_ends_at_its_lam(process: Cosine) -> None:
    level = process.level(U)
    assert torch.allclose(level.alpha**2 + level.sigma**2, torch.ones_like(U), atol=1e-15)
    assert level.lam[0].item() == pytest.approx(process.lam_max, abs=1e-9)
    assert level.lam[-1].item() == pytest.approx(process.lam_min, abs=1e-9)


@every_process
@pytest.mark.parametrize("kind", KINDS)
def test_conversions_within_the_condition_number(process: Process, kind: Kind) -> None:
    """In float32 the error is a few roundings times how much the reading magnifies them at that level."""
    level, generator = process.level(U[1:-1]), torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, len(U) - 2, 5, generator=generator, dtype=torch.float64)
    a = level.like(x0)
    raw = Prediction(x0, eps).reading(kind, level)
    p = convert(kind, raw.float(), (a.alpha * x0 + a.sigma * eps).float(), level)
    magnified = _magnification(kind, level).reshape(-1, 1) * 1e-6
    assert ((p.x0 - x0).abs() < magnified).all()
    assert ((p.eps - eps).abs() < magnified).all()


def _magnification(kind: Kind, level: Level) -> Tensor:
    """How far an error of one in x or in the raw output can move x0 or eps, times the size of the terms."""
    size = (level.alpha + level.sigma).clamp(min=1)
    if kind in ("eps", "x0"):
        return 10 * size / (level.alpha if kind == "eps" else level.sigma)
    slope = level.d_alpha.abs() + level.d_sigma.abs() if kind == "flow" else torch.ones_like(level.alpha)
    det = level.alpha * level.d_sigma - level.sigma * level.d_alpha if kind == "flow" else torch.full_like(slope, 0.5)
    return 10 * (1 + slope) / det


@every_process
def test_both_ends_convert_where_defined(process: Process) -> None:
    x0, eps = torch.randn(2, 2, 3, dtype=torch.float64)
    level = process.level(torch.tensor([0.0, 1.0]))
    a = level.like(x0)
    for kind in ("v", "flow"):
        p = convert(kind, Prediction(x0, eps).reading(kind, level), a.alpha * x0 + a.sigma * eps, level)
        assert torch.allclose(p.x0, x0, atol=1e-9)
        assert torch.allclose(p.eps, eps, atol=1e-9)
