"""Frequency-decoupled guidance and thresholds against diffusers: the same where theirs are right, in their space, and
one test for each known difference. For guidance rescale see test_guiders.py.

The frequency-decoupled guider takes its pyramid from kornia; where that is missing, kornia's formula stands in for it.
"""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lodestar.core import Kind, Level, Prediction, Step, convert
from lodestar.guidance import CFG, RULES, Rule, View, parse
from lodestar.process import Cosine, Flow

diffusers = pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")
bands = pytest.importorskip(
    "diffusers.guiders.frequency_decoupled_guidance", reason="diffusers has this guider since 0.35"
)

FDG, Dynamic, Threshold = (RULES[name] for name in ("fdg", "dynamic", "threshold"))
LEVEL = Cosine().level(torch.tensor(0.55, dtype=torch.float64))
X, COND, NULL = torch.randn(3, 2, 3, 16, 8, generator=torch.Generator().manual_seed(0))


def ours(rule: Rule, kind: Kind, cond: Tensor = COND, null: Tensor = NULL, x: Tensor = X) -> Tensor:
    """What a network of this kind would have put out to give the rule's prediction."""
    level = Flow().level(torch.tensor(0.6)) if kind == "flow" else LEVEL
    named = {name: convert(kind, raw, x, level) for name, raw in (("cond", cond), ("null", null))}
    return rule(View(x, named), Step(level)).reading(kind, level)


def agree(a: Tensor, b: Tensor) -> None:
    assert a.std() > 0.1
    assert (a - b).abs().max() < 1e-5


# Frequency-decoupled guidance.


@pytest.fixture(autouse=True)
def kornia() -> Iterator[None]:
    """kornia's pyramid for diffusers, by its formula where it is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        if not bands._CAN_USE_KORNIA:
            patch.setattr(bands, "_CAN_USE_KORNIA", True)
            patch.setattr(bands, "build_laplacian_pyramid_func", pyramid)
            patch.setattr(bands, "upsample_and_blur_func", doubled)
        yield


def blurred(image: Tensor) -> Tensor:
    line = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = torch.outer(line, line).expand(image.shape[1], 1, 5, 5)
    return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), kernel, groups=image.shape[1])


def resized(image: Tensor, factor: float) -> Tensor:
    size = [int(side * factor) for side in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


def doubled(image: Tensor) -> Tensor:
    return blurred(resized(image, 2))


def pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """From fine to coarse; first padded to powers of two where neither side is one."""
    sides, whole = image.shape[-2:], [2 ** math.ceil(math.log2(side)) for side in image.shape[-2:]]
    if all(side != power for side, power in zip(sides, whole, strict=True)):
        image = F.pad(image, (0, whole[1] - sides[1], 0, whole[0] - sides[0]), mode="reflect")
    out = []
    for _ in range(levels - 1):
        coarse = resized(blurred(image), 0.5)
        out.append(image - doubled(coarse))
        image = coarse
    return [*out, image]


def theirs(high_to_low: list[float], cond: Tensor = COND, null: Tensor = NULL) -> Tensor:
    return bands.FrequencyDecoupledGuidance(guidance_scales=high_to_low).forward(cond, null).pred


@pytest.mark.parametrize("kind", ["x0", "eps", "v", "flow"])
@pytest.mark.parametrize("scales", [[5.0, 10.0], [3.0, 7.0], [1.5, 12.0], [2.0, 4.0, 8.0], [0.0, 3.0]])
def test_fdg(kind: Kind, scales: list[float]) -> None:
    """Both sides powers of two. Ours from low to high, theirs from high to low; on whatever the network puts out."""
    agree(ours(FDG(scales), kind), theirs(scales[::-1]))


@pytest.mark.parametrize("scales", [[1.0, 3.0], [3.0, 1.0], [1.0, 3.0, 1.0]])
def test_their_fdg_fails_where_a_band_is_not_guided(scales: list[float]) -> None:
    """What it puts there is a variable of the band before, if there is one. 1 should be the conditional's own band."""
    with pytest.raises((UnboundLocalError, RuntimeError)):
        theirs(scales[::-1])
    near = [s + 1e-4 for s in scales]
    assert (ours(FDG(scales), "x0") - theirs(near[::-1])).abs().max() < 1e-3


@pytest.mark.parametrize("start", [[0.5, 0.0], [0.0, 0.5]])
def test_their_fdg_fails_where_a_band_is_outside_of_its_window(start: list[float]) -> None:
    """The same mistake. Ours has intervals of noise around a rule, and so one for each band as the sum of two rules."""
    guider = bands.FrequencyDecoupledGuidance(guidance_scales=[10.0, 5.0], start=start)
    guider.set_state(3, 10, None)
    with pytest.raises((UnboundLocalError, RuntimeError)):
        guider.forward(COND, NULL)
    low, high = ("lo=0, hi=inf" if begun == 0 else "lo=0, hi=1e-3" for begun in start[::-1])
    each = parse(f"plus(interval(fdg([5, 1]), {low}), other=interval(fdg([1, 10]), {high}))")
    agree(ours(each, "x0"), ours(FDG([1, 10] if start[0] == 0 else [5, 1]), "x0"))


@pytest.mark.parametrize("shape", [(6, 6), (12, 10), (7, 5), (5, 8)])
def test_their_fdg_gives_no_image_of_the_same_size_back_where_kornia_pads(shape: tuple[int, int]) -> None:
    """Sides that are no powers of two: it is not cropped, or fails on odd sides, by the version of kornia."""
    x, cond, null = torch.randn(3, 1, 3, *shape)
    assert ours(FDG([5, 10]), "x0", cond, null, x).shape == x.shape
    try:
        found = theirs([10.0, 5.0], cond, null)
    except RuntimeError:
        return
    assert found.shape != x.shape


def test_their_fdg_takes_no_start_that_is_a_whole_number() -> None:
    with pytest.raises(TypeError):
        bands.FrequencyDecoupledGuidance(start=0)


def test_their_fdg_takes_no_scale_for_each_sample() -> None:
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        theirs([torch.tensor([10.0, 12.0]), 5.0])  # type: ignore[list-item]
    each = ours(FDG([5, [10, 12]]), "x0")
    agree(each[:1], theirs([10.0, 5.0])[:1])
    agree(each[1:], theirs([12.0, 5.0])[1:])


# Thresholds.

SCHEDULERS = [diffusers.DDIMScheduler, diffusers.DDPMScheduler, diffusers.DPMSolverMultistepScheduler]
LOUD = Prediction(2 * COND, NULL)  # x0 far out of [-1, 1]
LOUD_VIEW = View(LEVEL.like(X).alpha * LOUD.x0 + LEVEL.like(X).sigma * LOUD.eps, {"cond": LOUD, "null": LOUD})


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("percentile", [0.5, 0.9, 0.995, 1.0])
def test_dynamic_thresholding(scheduler: type, percentile: float) -> None:
    """With their ceiling out of the way."""
    peer = scheduler(thresholding=True, dynamic_thresholding_ratio=percentile, sample_max_value=1e6)
    agree(Dynamic(CFG(1), percentile)(LOUD_VIEW, Step(LEVEL)).x0, peer._threshold_sample(LOUD.x0))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_by_default_their_dynamic_thresholding_is_static(scheduler: type) -> None:
    """Their ceiling, sample_max_value, is 1 as is the floor: s is 1 whatever the percentile."""
    found = scheduler(thresholding=True)._threshold_sample(LOUD.x0)
    agree(Threshold(CFG(1))(LOUD_VIEW, Step(LEVEL)).x0, found)
    assert (Dynamic(CFG(1))(LOUD_VIEW, Step(LEVEL)).x0 - found).abs().max() > 0.1


@pytest.mark.parametrize("text", ["threshold(cfg(1))", "dynamic(cfg(1), .9)"])
def test_their_ddim_keeps_the_eps_of_the_x0_before(text: str) -> None:
    """Ours, as in Imagen, is that of the same x; theirs with use_clipped_model_output."""
    static = text.startswith("threshold")
    own = {"clip_sample": static, "thresholding": not static}
    scheduler = diffusers.DDIMScheduler(**own, dynamic_thresholding_ratio=0.9, sample_max_value=1e6)
    scheduler.set_timesteps(10)
    t = scheduler.timesteps[4]
    here, there = (scheduler.alphas_cumprod[i].double() for i in (t, t - 100))
    x, level = here.sqrt() * LOUD.x0 + (1 - here).sqrt() * LOUD.eps, _preserving(here)
    cond = convert("eps", LOUD.eps, x, level)
    p = parse(text)(View(x, {"cond": cond, "null": cond}), Step(level))
    step = there.sqrt() * p.x0 + (1 - there).sqrt() * p.eps
    clipped, kept = (
        scheduler.step(LOUD.eps, t, x, use_clipped_model_output=each).prev_sample for each in (True, False)
    )
    agree(step, clipped)
    assert (step - kept).abs().max() > 0.1


def _preserving(alpha_squared: Tensor) -> Level:
    return Level(alpha_squared.sqrt(), (1 - alpha_squared).sqrt(), *torch.full((2,), torch.nan, dtype=torch.float64))
