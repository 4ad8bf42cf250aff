"""docs/own-code.md: its code runs, and guides."""

import math

import pytest
import torch
from pages import blocks, dead_links, sections

import lodestar
from lodestar.process import DDPM, EDM, Cosine, Flow, levels
from lodestar.samplers.ddim import ddim

PAGE = "own-code.md"
SECTIONS = sections(PAGE)
CONFIG = {
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 1,
    "block_out_channels": (8, 16),
    "norm_num_groups": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 8,
    "attention_head_dim": 8,
}


def run(code: str, **names: object) -> dict[str, object]:
    """All names once the code has run, with those given that it takes for granted."""
    torch.manual_seed(0)
    exec(compile(code, PAGE, "exec"), names)
    return names


def test_links_lead_somewhere():
    assert dead_links(PAGE) == []


def test_the_two_lines_are_as_they_are_told():
    (both,) = blocks(SECTIONS[""])
    given = {"lodestar": lodestar, "DDPM": DDPM, "labels": torch.arange(3), "NULL": torch.tensor([3])}
    found = run(both, **given, network=lambda x, t, labels: x * labels[:, None])
    guided = found["denoise"](torch.ones(3, 2), lodestar.Step(DDPM().level(torch.tensor(0.5))))
    eps = 3 + 4 * (found["labels"] - 3.0)
    assert torch.allclose(guided.eps, eps[:, None].expand(3, 2))


def test_the_bare_loop_trains_a_network_that_guidance_makes_better():
    """A short run of it: at scale 2 nearly all samples are nearest to the middle of their class, at 1 not so."""
    (loop,) = blocks(SECTIONS["A bare PyTorch loop"])
    found = run(loop.replace("range(2000)", "range(250)"))
    labels, x = found["labels"], found["x"]
    angle = torch.arange(8) * (2 * math.pi / 8)
    middles = torch.stack([angle.cos(), angle.sin()], 1)

    def as_asked(x):
        return float((torch.cdist(x, middles).argmin(1) == labels).float().mean())

    assert as_asked(x) > 0.97
    assert (found["denoise"].evaluations, found["denoise"].calls) == (20_000, 25)
    given = {"kind": "eps", "process": found["process"], "named": {"null": found["NULL"]}}
    unguided = lodestar.guide("cfg(1)", found["network"], labels, **given)
    with torch.no_grad():
        x = ddim(unguided, torch.randn(len(labels), 2), levels(found["process"], 25, "trailing"))
    assert as_asked(x) < 0.93


@pytest.mark.parametrize("process", [DDPM(), Flow(), EDM(), Cosine()], ids=repr)
def test_networks_are_told_what_the_table_says(process):
    level = process.level(torch.tensor([0.25, 0.75]))
    t, clean = process.timestep(level), torch.ones(2, dtype=torch.float64)
    alpha, sigma = {
        DDPM: lambda: (process.level(t / 999).alpha, (1 - level.alpha**2).sqrt()),
        Flow: lambda: (1 - t, t),
        EDM: lambda: (clean, t),
        Cosine: lambda: (t.sigmoid().sqrt(), (-t).sigmoid().sqrt()),
    }[type(process)]()
    torch.testing.assert_close((level.alpha, level.sigma), (alpha, sigma))
    assert f"| `{type(process).__name__}()` | " in SECTIONS["A bare PyTorch loop"]


def test_a_flow_network_puts_out_eps_minus_x0():
    x0, eps = torch.randn(2, 3).double(), torch.randn(2, 3).double()
    level = Flow().level(torch.tensor(0.3))
    torch.testing.assert_close(lodestar.Prediction(x0, eps).reading("flow", level), eps - x0)


TABLE = torch.randn(20, 3, 8, generator=torch.Generator().manual_seed(0))


def encode(captions):
    """Another embedding [T, D] for captions of other lengths."""
    return TABLE[[len(caption) for caption in captions]]


def diffusers_blocks():
    pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")
    return blocks(SECTIONS["A diffusers loop"])


def trained(code):
    """The names of the training block after two steps."""
    batches = [(torch.randn(64, 4, 8, 8), ["a red circle"] * 64) for _ in range(2)]
    return run(code, encode=encode, batches=batches, config=CONFIG)


def test_the_diffusers_loop_drops_captions_one_by_one():
    training, *_ = diffusers_blocks()
    hidden = trained(training)["hidden"]
    gone = (hidden == encode([""])).all((1, 2))
    assert 1 <= int(gone.sum()) <= 16
    assert torch.equal(hidden[~gone], encode(["a red circle"]).expand(int((~gone).sum()), -1, -1))


@pytest.mark.parametrize(
    ("prediction", "kind", "reading"),
    [("epsilon", "eps", "guided.eps"), ("v_prediction", "v", "guided.v(at.level)"), ("sample", "x0", "guided.x0")],
)
def test_diffusers_own_loop_draws_with_our_denoiser_what_it_draws_with_its_own_guidance(prediction, kind, reading):
    training, ours, theirs = diffusers_blocks()
    assert reading in SECTIONS["A diffusers loop"]
    names = trained(training.replace("clip_sample=False", f'clip_sample=False, prediction_type="{prediction}"'))
    sampling = ours.replace('kind="eps"', f'kind="{kind}"').replace(
        "rescale(interval(cfg(7.5), lo=.28, hi=5.42), phi=.7)", "cfg(3)"
    )
    names = run(sampling, **names)
    assert names["latents"].shape == (2, 4, 8, 8)
    names = run(theirs.replace("guided.eps", reading), **names)
    torch.testing.assert_close(names["latents"], plain(names, 3.0), atol=1e-4, rtol=1e-4)
    assert names["denoise"].evaluations == 20 * 2 * 2


@torch.no_grad()
def plain(names, scale):
    """Guidance as diffusers' pipelines write it out, from the same noise."""
    torch.manual_seed(0)
    unet, scheduler, hidden = names["unet"], names["scheduler"], names["hidden"]
    both = torch.cat([names["null"].expand(2, -1, -1), hidden])
    x = torch.randn(2, 4, 8, 8)
    scheduler.set_timesteps(20)
    for t in scheduler.timesteps:
        null, cond = unet(torch.cat([x, x]), t, both).sample.chunk(2)
        x = scheduler.step(null + scale * (cond - null), t, x).prev_sample
    return x


def test_the_rule_of_the_page_samples_with_our_sampler():
    training, ours, _ = diffusers_blocks()
    found = run(ours, **trained(training))
    assert found["latents"].isfinite().all()
    assert 20 * 2 < found["denoise"].evaluations < 20 * 2 * 2  # the interval saves the null where it is off
