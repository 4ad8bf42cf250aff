"""PAG, SEG and SLG against diffusers' guiders, where theirs are right, and one test for each known difference."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lodestar.core import KINDS, Kind, Step, convert
from lodestar.guidance import CFG, Interval, Rescale, Rule, View
from lodestar.guidance.rules.subtract.pag import PAG
from lodestar.guidance.rules.subtract.seg import SEG
from lodestar.guidance.rules.subtract.slg import SLG
from lodestar.process import Cosine

pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")
guiders = pytest.importorskip("diffusers.guiders", reason="diffusers has guiders since 0.35")
if not hasattr(guiders, "SmoothedEnergyGuidance"):
    pytest.skip("SmoothedEnergyGuidance came after this diffusers", allow_module_level=True)

STEPS = 10
LEVEL = Cosine().level(torch.tensor(0.6))
X, COND, NULL, CHANGED = torch.randn(4, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
CONFIG = {"indices": [0], "fqn": "blocks", "skip_attention": False, "skip_ff": False, "skip_attention_scores": True}
EVERYWHERE = {"start": -1.0, "stop": 1.0}


def pag(scale: float, strength: float, **window: float) -> object:
    window = {f"perturbed_guidance_{name}": value for name, value in (window or EVERYWHERE).items()}
    return guiders.PerturbedAttentionGuidance(scale, strength, perturbed_guidance_config=CONFIG, **window)


def slg(scale: float, strength: float) -> object:
    config = {"indices": [7, 8, 9], "fqn": "blocks"}
    return guiders.SkipLayerGuidance(
        scale, strength, skip_layer_guidance_start=0.0, skip_layer_guidance_stop=1.0, skip_layer_config=config
    )


def seg(scale: float, strength: float) -> object:
    config = {"indices": [0], "fqn": "blocks"}
    return guiders.SmoothedEnergyGuidance(
        scale, strength, seg_guidance_start=0.0, seg_guidance_stop=1.0, seg_guidance_config=config
    )


OURS = {"pag": PAG, "slg": SLG, "seg": SEG}
THEIRS = {"pag": pag, "slg": slg, "seg": seg}
each = pytest.mark.parametrize("name", OURS)
ltx2 = pytest.mark.skipif(not hasattr(guiders, "LTX2Guidance"), reason="it came after this diffusers")


def theirs(guider: object, *outputs: Tensor, step: int = 3) -> Tensor:
    guider.set_state(step, STEPS, None)  # type: ignore[attr-defined]
    return guider.forward(*outputs).pred  # type: ignore[attr-defined]


def ours(rule: Rule, kind: Kind) -> Tensor:
    """What a network of this kind would have put out to give the rule's prediction."""
    raw = {"cond": COND, "null": NULL, **dict.fromkeys(("pag", "seg(100)", "skip(7, 8, 9)"), CHANGED)}
    view = View(X, {name: convert(kind, output, X, LEVEL) for name, output in raw.items()})
    return rule(view, Step(LEVEL)).reading(kind, LEVEL)


def agree(a: Tensor, b: Tensor) -> None:
    assert (a - b).abs().max() < 1e-5 * max(1.0, float(b.abs().max()))


def differ(a: Tensor, b: Tensor) -> None:
    assert (a - b).abs().max() > 0.05


@each
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("scale", "strength"), [(7.5, 2.8), (0.0, 1.0), (4.0, 0.0)])
def test_beside_cfg(name: str, kind: Kind, scale: float, strength: float) -> None:
    agree(ours(OURS[name](CFG(scale), strength), kind), theirs(THEIRS[name](scale, strength), COND, NULL, CHANGED))


@ltx2
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("scale", "strength"), [(4.0, 1.0), (1.0, 2.8), (3.0, 0.0)])
def test_ltx2(kind: Kind, scale: float, strength: float) -> None:
    """CFG and skipped blocks (STG) in one; its third term is of a model of picture and sound, another change inside."""
    agree(ours(SLG(CFG(scale), strength), kind), theirs(guiders.LTX2Guidance(scale, strength), COND, NULL, CHANGED))


@ltx2
def test_their_ltx2_rescales_x0() -> None:
    """The paper's rescale is of v, as ours is whatever the network puts out."""
    guider = guiders.LTX2Guidance(4.0, 1.0, guidance_rescale=0.7)
    rule = Rescale(SLG(CFG(4), 1), 0.7)
    agree(ours(rule, "v"), theirs(guider, COND, NULL, CHANGED))
    differ(ours(rule, "x0"), theirs(guider, COND, NULL, CHANGED))


@each
def test_their_strength_without_cfg_is_a_scale(name: str) -> None:
    """At scale 1 it counts from the changed network: 1 is none, and what is 2.8 beside CFG would be 3.8."""
    alone = theirs(THEIRS[name](1.0, 2.8), COND, None, CHANGED)
    differ(ours(OURS[name](CFG(1), 2.8), "eps"), alone)
    agree(ours(OURS[name](CFG(1), 1.8), "eps"), alone)


@each
def test_their_second_branch_without_cfg_is_the_negative_prompt(name: str) -> None:
    """Not the prompt with a changed network. Ours asks both under the user's own condition."""
    guider = THEIRS[name](1.0, 2.8)
    guider.set_state(3, STEPS, None)
    assert [batch.text for batch in guider.prepare_inputs({"text": ("a star", "blurry")})] == ["a star", "blurry"]
    asks = OURS[name](CFG(1), 2.8).asks(Step(LEVEL))
    changed = [ask for ask in asks.values() if ask.hook]
    assert [(ask.replace, ask.drop) for ask in changed] == [(None, False)]


@each
def test_their_window_leaves_out_the_first_step(name: str) -> None:
    """It is open at its start where that of CFG is closed. Ours is in noise levels, the same for both."""
    guider = THEIRS[name](4.0, 2.8) if name != "pag" else pag(4.0, 2.8, start=0.0, stop=1.0)
    cfg = NULL + 4 * (COND - NULL)
    agree(cfg, theirs(guider, COND, NULL, CHANGED, step=0))
    differ(cfg, theirs(guider, COND, NULL, CHANGED, step=1))


@each
def test_their_strength_changes_its_meaning_where_cfg_is_outside_of_its_window(name: str) -> None:
    """Inside it is added to CFG, outside it is a scale from the changed network. Ours is one pull in both."""
    guider = THEIRS[name](4.0, 2.8)
    guider._stop = 0.5  # type: ignore[attr-defined]
    agree(ours(OURS[name](CFG(4), 2.8), "eps"), theirs(guider, COND, NULL, CHANGED, step=3))
    outside = OURS[name](Interval(CFG(4), lo=0, hi=1e-3), 2.8)
    agree(ours(outside, "eps"), COND + 2.8 * (COND - CHANGED))
    agree(theirs(guider, COND, None, CHANGED, step=7), COND + 1.8 * (COND - CHANGED))


def test_their_pag_is_plain_attention_where_queries_and_values_differ_in_number() -> None:
    """Without a word, and the third forward is paid for. Ours changes attention of a picture to itself, whose are as
    many, and says so where there is none (networks/hooks.py)."""
    mode = pytest.importorskip("diffusers.hooks.layer_skip").AttentionScoreSkipFunctionMode
    q, k, v = torch.randn(3, 1, 2, 4, 8, generator=torch.Generator().manual_seed(0))
    with mode():
        assert torch.equal(F.scaled_dot_product_attention(q, k, v), v)
        few = F.scaled_dot_product_attention(q[:, :, :3], k, v)
    assert torch.equal(few, F.scaled_dot_product_attention(q[:, :, :3], k, v))


def test_their_pag_does_not_know_the_joint_attention_of_stable_diffusion_3() -> None:
    """Ours is the network's own affair, by a method hooked(name)."""
    registry = pytest.importorskip("diffusers.hooks._helpers").AttentionProcessorRegistry
    processor = pytest.importorskip("diffusers.models.attention_processor").JointAttnProcessor2_0
    with pytest.raises(ValueError, match=r"JointAttnProcessor2_0.* not registered"):
        registry.get(processor)


def test_their_seg_changes_nothing() -> None:
    """It never counts its branches, so that the hook is not set: a third forward equal to the first."""
    guider = seg(4.0, 3.0)
    guider.set_state(3, STEPS, None)
    network = torch.nn.Linear(2, 2)
    for _ in range(3):
        guider.prepare_models(network)
    assert not guider.is_conditional
    assert not hasattr(network, "_diffusers_hook")


@pytest.mark.parametrize(
    ("guider", "field"),
    [(guiders.SkipLayerGuidance, "skip_layer_guidance_layers"), (guiders.AutoGuidance, "auto_guidance_layers")],
)
def test_layers_by_number_cannot_be_applied(guider: type, field: str) -> None:
    """LayerSkipConfig wants a list and is given a number."""
    more = {"dropout": 1.0} if field.startswith("auto") else {}
    made = guider(**{field: [0]}, **more)
    configs = getattr(made, "skip_layer_config", None) or made.auto_guidance_config
    with pytest.raises(TypeError):
        len(configs[0].indices)
