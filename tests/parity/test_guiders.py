"""Rules against diffusers' guiders, in the space where theirs are right, and one test for each known difference.

A guider combines what the network puts out, of whatever kind. So each is compared on a network of the kind that its
paper speaks of, where the numbers must be the same, and what happens on another is among the differences.
"""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from lodestar.core import KINDS, Kind, Level, Step, convert
from lodestar.guidance import CFG, Interval, Rescale, Rule, View, guide
from lodestar.guidance.rules.combine.apg import APG
from lodestar.guidance.rules.combine.cfgzero import CFGZero
from lodestar.guidance.rules.combine.mambo import Mambo
from lodestar.guidance.rules.combine.tcfg import TCFG
from lodestar.guidance.rules.several.plus import Plus
from lodestar.guidance.rules.subtract.auto import Auto
from lodestar.process import Cosine, Flow

pytest.importorskip("diffusers", reason="a peer to compare with: the extra 'parity' has it")
guiders = pytest.importorskip("diffusers.guiders", reason="diffusers has guiders since 0.35")
if not hasattr(guiders, "MagnitudeAwareGuidance"):
    pytest.skip("MagnitudeAwareGuidance came after this diffusers", allow_module_level=True)

STEPS = 10
VP, FLOW = Cosine().level(torch.tensor(0.6)), Flow().level(torch.tensor(0.6))
X, FIRST, SECOND, *PAIRS = torch.randn(9, 4, 8, 6, generator=torch.Generator().manual_seed(0))
COND, NULL = FIRST, 0.9 * FIRST + 0.4 * SECOND  # raw outputs [4, 8, 6], fp32
every_kind = pytest.mark.parametrize("kind", KINDS)
every_scale = pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 1.5, 4.0])


def theirs(guider: object, cond: Tensor = COND, null: Tensor = NULL, step: int = 3) -> Tensor:
    guider.set_state(step, STEPS, None)  # type: ignore[attr-defined]
    return guider.forward(cond, null).pred  # type: ignore[attr-defined]


def ours(rule: Rule, kind: Kind, cond: Tensor = COND, null: Tensor = NULL, step: int = 3) -> Tensor:
    """What a network of this kind would have put out to give the rule's prediction."""
    level = FLOW if kind == "flow" else VP
    named = {name: convert(kind, raw, X, level) for name, raw in (("cond", cond), ("null", null), ("weak", null))}
    return rule(View(X, named), Step(level, step, STEPS)).reading(kind, level)


def agree(a: Tensor, b: Tensor) -> None:
    assert a.std() > 0.1
    assert (a - b).abs().max() < 1e-5


def differ(a: Tensor, b: Tensor) -> None:
    assert (a - b).abs().max() > 0.05


# The same.


@every_kind
@every_scale
def test_cfg(kind: Kind, scale: float) -> None:
    agree(ours(CFG(scale), kind), theirs(guiders.ClassifierFreeGuidance(scale)))


@pytest.mark.parametrize("phi", [0.0, 0.7, 1.0])
def test_rescale(phi: float) -> None:
    agree(ours(Rescale(CFG(4), phi), "v"), theirs(guiders.ClassifierFreeGuidance(4.0, guidance_rescale=phi)))


@every_scale
def test_autoguidance(scale: float) -> None:
    """Its formula; their weak branch is the network with layers dropped, ours another network."""
    config = {"indices": [0], "fqn": "blocks", "dropout": 1.0}
    agree(ours(Auto(scale), "x0"), theirs(guiders.AutoGuidance(scale, auto_guidance_config=config)))


@every_scale
@pytest.mark.parametrize("beta", [None, -0.5])
@pytest.mark.parametrize("r", [0.0, 2.0])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_apg(scale: float, beta: float | None, r: float, eta: float) -> None:
    """In x0, as the paper, and with their "original formulation", whose scale is 0-based."""
    guider = guiders.AdaptiveProjectedGuidance(scale - 1, beta, r, eta=eta, use_original_formulation=True)
    running = APG(scale, momentum=beta or 0, r=r, eta=eta).begin()
    for step in range(3):
        cond, null = PAIRS[2 * step : 2 * step + 2]
        guider.set_state(step, STEPS, None)
        guider.prepare_inputs({"x": (cond, null)})
        agree(ours(running, "x0", cond, null, step), theirs(guider, cond, null, step))


@pytest.mark.parametrize(("scale", "later"), [(3.5, 10.0), (1.5, 4.0)])
@pytest.mark.parametrize("momentum", [0.0, -0.5])
def test_apg_mix(scale: float, later: float, momentum: float) -> None:
    """CFG in the first steps and APG in the others, whose sum has seen them all. With their "original formulation"."""
    guider = guiders.AdaptiveProjectedMixGuidance(
        scale - 1, 0.0, later - 1, momentum, 2.0, use_original_formulation=True,
        adaptive_projected_guidance_start_step=1,
    )  # fmt: skip
    running = APG(later, momentum=momentum, r=2, eta=0).begin()
    for step in range(4):
        cond, null = PAIRS[step : step + 2]
        guider.set_state(step, STEPS, None)
        guider.prepare_inputs({"x": (cond, null)})
        both = ours(CFG(scale), "x0", cond, null, step), ours(running, "x0", cond, null, step)
        agree(both[step > 1], theirs(guider, cond, null, step))


@every_scale
def test_cfg_zero_star(scale: float) -> None:
    """At scale 1 theirs skips the null, and s with it: ours is the conditional too."""
    guider = guiders.ClassifierFreeZeroStarGuidance(scale, zero_init_steps=2)
    for step in (2, 3):
        agree(ours(CFGZero(scale, 2), "flow", step=step), theirs(guider, step=step))
    for step in (0, 1):
        assert ours(CFGZero(scale, 2), "flow", step=step).abs().max() < 1e-6
        assert theirs(guider, step=step).abs().max() == 0


@every_scale
def test_tcfg(scale: float) -> None:
    agree(ours(TCFG(scale), "eps"), theirs(guiders.TangentialClassifierFreeGuidance(scale)))


@every_scale
@pytest.mark.parametrize("damping", [0.0, 1.0, 8.0])
def test_mambo(scale: float, damping: float) -> None:
    agree(ours(Mambo(scale, damping), "flow"), theirs(guiders.MagnitudeAwareGuidance(scale, damping)))


# Known differences: theirs first, then what ours does.


@pytest.mark.parametrize(
    ("rule", "guider", "kind"),
    [
        (Rescale(CFG(4)), guiders.ClassifierFreeGuidance(4.0, guidance_rescale=0.7), "eps"),
        (
            APG(4, momentum=0, r=2, eta=0),
            guiders.AdaptiveProjectedGuidance(3.0, None, 2.0, eta=0.0, use_original_formulation=True),
            "eps",
        ),
        (CFGZero(4, 0), guiders.ClassifierFreeZeroStarGuidance(4.0, zero_init_steps=0), "eps"),
        (TCFG(4), guiders.TangentialClassifierFreeGuidance(4.0), "flow"),
        (Mambo(4, 1), guiders.MagnitudeAwareGuidance(4.0, 1.0), "x0"),
    ],
    ids=lambda v: type(v).__name__ if not isinstance(v, str) else v,
)
def test_theirs_is_another_rule_for_every_kind_of_network(rule: Rule, guider: object, kind: Kind) -> None:
    """They act on the raw output. Ours has one space, and converts."""
    differ(ours(rule, kind), theirs(guider))


def test_their_original_formulation_is_neutral_at_zero() -> None:
    """One name, guidance_scale, for two conventions. Ours has one; the paper's w enters as CFG.from_w."""
    guider = guiders.ClassifierFreeGuidance(3.0, use_original_formulation=True)
    agree(ours(CFG.from_w(3), "eps"), theirs(guider))
    differ(ours(CFG(3), "eps"), theirs(guider))


@pytest.mark.parametrize(
    "guider",
    [
        guiders.ClassifierFreeGuidance,
        guiders.AdaptiveProjectedGuidance,
        guiders.TangentialClassifierFreeGuidance,
        guiders.MagnitudeAwareGuidance,
    ],
)
def test_theirs_takes_no_scale_for_each_sample(guider: type) -> None:
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        theirs(guider(torch.tensor([0.0, 1.0, 2.0, 4.0])))


def test_their_scale_zero_pays_for_the_conditional() -> None:
    """The answer is the null in both; ours asks for the null alone."""
    guider = guiders.ClassifierFreeGuidance(0.0)
    agree(NULL, theirs(guider))
    assert guider.num_conditions == 2
    assert {n for n, ask in CFG(0).asks(Step(VP)).items() if ask.rows is None or ask.rows.any()} == {"null"}


def test_their_rescale_of_a_flat_prediction_is_not_finite() -> None:
    """Its standard deviation is 0. Ours has a floor."""
    flat = torch.zeros_like(COND)
    assert theirs(guiders.ClassifierFreeGuidance(4.0, guidance_rescale=0.7), flat, flat).isnan().all()
    assert ours(Rescale(CFG(4)), "v", flat, flat).isfinite().all()


def test_their_apg_by_default_is_not_the_conditional_near_scale_one() -> None:
    """It starts from the null: near 1, though not at 1, what was projected away is missing. Ours starts from cond."""
    guider = guiders.AdaptiveProjectedGuidance(1.001, None, 2.0, eta=0.0)
    differ(theirs(guider), COND)
    assert (ours(APG(1.001, momentum=0, r=2, eta=0), "x0") - COND).abs().max() < 0.01
    agree(COND, theirs(guiders.AdaptiveProjectedGuidance(1.0, None, 2.0, eta=0.0)))


def test_their_mix_begins_apg_a_step_late_and_counts_steps() -> None:
    """Its start step is still CFG's. Ours is two intervals of noise, one rule, whatever the grid."""
    guider = guiders.AdaptiveProjectedMixGuidance(
        3.0, 0.0, 3.0, None, 2.0, use_original_formulation=True, adaptive_projected_guidance_start_step=5
    )
    agree(ours(CFG(4), "x0"), theirs(guider, step=5))
    agree(late := ours(APG(4, momentum=0, r=2, eta=0), "x0"), theirs(guider, step=6))
    differ(late, theirs(guider, step=5))
    s = float(VP.noise_to_signal)
    for border, found in ((2 * s, late), (s / 2, ours(CFG(4), "x0"))):
        mix = Plus(
            Interval(CFG(4), lo=border, hi=math.inf),
            Interval(APG(4, momentum=0, r=2, eta=0), lo=-1, hi=border),
        )
        agree(ours(mix, "x0"), found)


def test_their_momentum_outlives_the_trajectory() -> None:
    """It lives in the guider and is reset at step 0 alone, where image-to-image never is. Ours is born with a run."""
    guider = guiders.AdaptiveProjectedGuidance(4.0, -0.5, 0.0, eta=1.0)
    guider.set_state(0, STEPS, None)
    guider.prepare_inputs({"x": (COND, NULL)})
    first, second = theirs(guider, step=5), theirs(guider, step=5)
    differ(first, second)
    rule = APG(4, momentum=-0.5, r=0, eta=1)
    assert torch.equal(*(ours(rule.begin(), "x0", step=5) for _ in range(2)))


def test_their_momentum_moves_at_every_evaluation() -> None:
    """A solver of two stages updates it twice a step. Ours once: a corrector reads it only."""
    guider = guiders.AdaptiveProjectedGuidance(4.0, -0.5, 0.0, eta=1.0)
    guider.set_state(0, STEPS, None)
    guider.prepare_inputs({"x": (COND, NULL)})
    evaluations = [theirs(guider) for _ in range(3)]
    differ(evaluations[1], evaluations[2])
    running, view = APG(4, momentum=-0.5, r=0, eta=1).begin(), _view("x0", VP)
    running(view, Step(VP, 0, STEPS))
    found = [running(view, Step(VP, *at)).x0 for at in ((0, STEPS, 1), (1, STEPS, 0))]
    assert torch.equal(*found)


def _view(kind: Kind, level: Level) -> View:
    return View(X, {name: convert(kind, raw, X, level) for name, raw in (("cond", COND), ("null", NULL))})


def test_their_zero_steps_are_paid_for() -> None:
    """Both forwards are made and thrown away. Ours asks nothing."""
    guider = guiders.ClassifierFreeZeroStarGuidance(4.0)
    guider.set_state(0, STEPS, None)
    assert guider.num_conditions == 2
    assert CFGZero(4).asks(Step(FLOW, 0, STEPS)) == {}
    asked = []
    g = guide(CFGZero(4), lambda x, level, c: asked.append(len(x)), COND, kind="flow", named={"null": NULL})
    assert g(X, Step(FLOW, 0, STEPS)).x0.isfinite().all()
    assert not asked


def test_their_zero_steps_with_rescale_are_not_finite() -> None:
    """0 / 0. Around ours the conditional is asked for its size, and there is a floor."""
    assert theirs(guiders.ClassifierFreeZeroStarGuidance(4.0, guidance_rescale=0.7), step=0).isnan().all()
    assert ours(Rescale(CFGZero(4)), "flow", step=0).isfinite().all()


def test_their_zero_steps_of_an_eps_network_do_not_stand_still() -> None:
    """They zero whatever is put out, and x without noise in it is x / alpha. Ours has no velocity, so x stays."""
    p = convert("eps", theirs(guiders.ClassifierFreeZeroStarGuidance(4.0), step=0), X, VP)
    differ(p.x0, VP.alpha.float() * X)
    assert ours(CFGZero(4), "v", step=0).abs().max() < 1e-5


def test_their_tcfg_cannot_say_whether_it_is_conditional() -> None:
    with pytest.raises(AttributeError, match="is_conditional"):
        _ = guiders.TangentialClassifierFreeGuidance(4.0).is_conditional


def test_their_tcfg_of_equal_norms_without_product_depends_on_the_svd() -> None:
    """No direction is the first there: theirs damps nothing or all of the null. Ours leaves it alone."""
    cond, null = torch.zeros(2, *COND.shape)
    cond[:, 0], null[:, 1] = 0.5, 0.5
    kept = theirs(guiders.TangentialClassifierFreeGuidance(0.0), cond, null).abs().amax()
    assert min(kept, (kept - 0.5).abs()) < 1e-6
    assert torch.allclose(ours(TCFG(0), "eps", cond, null), null, atol=1e-6)


def test_their_original_mambo_damps_the_whole_scale() -> None:
    """So it is 0-based: neutral at 0. Ours is 1-based, and the same one down."""
    guider = guiders.MagnitudeAwareGuidance(3.0, 1.0, use_original_formulation=True)
    agree(ours(Mambo(4, 1), "flow"), theirs(guider))
    differ(ours(Mambo(3, 1), "flow"), theirs(guider))


def test_their_mambo_takes_no_pictures() -> None:
    """Its norm is over two axes at most, those of packed tokens [B, N, C]. Ours is over all but the batch."""
    cond, null = (raw.reshape(4, 3, 4, 4) for raw in (COND, NULL))
    with pytest.raises(RuntimeError, match="2-tuple"):
        theirs(guiders.MagnitudeAwareGuidance(4.0), cond, null)
    level = Step(FLOW)
    named = {n: convert("flow", raw, X.reshape(4, 3, 4, 4), FLOW) for n, raw in (("cond", cond), ("null", null))}
    found = Mambo(4)(View(X.reshape(4, 3, 4, 4), named), level).velocity(FLOW)
    agree(found.flatten(1), ours(Mambo(4), "flow").flatten(1))


def test_their_mambo_of_no_null_is_not_finite() -> None:
    """0 / 0 where the conditional is none either. Ours has a floor."""
    nothing = torch.zeros_like(NULL)
    assert theirs(guiders.MagnitudeAwareGuidance(4.0), nothing, nothing).isnan().all()
    assert torch.equal(ours(Mambo(4), "flow", nothing, nothing), nothing)
    agree(ours(Mambo(4), "flow", COND, nothing), COND)


def test_their_autoguidance_gives_the_weak_branch_the_negative_prompt() -> None:
    """The paper's weak network has the same condition, as ours has."""
    config = {"indices": [0], "fqn": "blocks", "dropout": 1.0}
    guider = guiders.AutoGuidance(4.0, auto_guidance_config=config)
    guider.set_state(3, STEPS, None)
    strong, weak = guider.prepare_inputs({"text": ("a star", "blurry")})
    assert (strong.text, weak.text) == ("a star", "blurry")
    assert not Auto(4).asks(Step(VP))["weak"].drop


def test_their_autoguidance_breaks_on_layers_by_number() -> None:
    """As its documentation has them. Ours takes a network."""
    guider = guiders.AutoGuidance(4.0, auto_guidance_layers=[0], dropout=1.0)
    guider.set_state(3, STEPS, None)
    network = torch.nn.ModuleDict({"blocks": torch.nn.ModuleList([torch.nn.Linear(2, 2)])})
    guider.prepare_models(network)  # of the conditional branch, which is left as it is
    with pytest.raises(TypeError, match="len"):
        guider.prepare_models(network)


def test_their_interval_is_of_steps() -> None:
    """start and stop are shares of the number of steps, so that the noise at which it acts moves with the grid."""
    guider = guiders.ClassifierFreeGuidance(4.0, start=0.2, stop=0.8)
    found = [torch.equal(theirs(guider, step=step), COND) for step in range(STEPS)]
    assert found == [True] * 2 + [False] * 6 + [True] * 2


def test_their_cutoff_leaves_the_condition_of_the_last_sample_to_all() -> None:
    """And the scale of a pipeline at 0, which there means the conditional. Ours stops to ask the null, and each sample
    keeps its own condition, and its own interval."""
    pipeline = SimpleNamespace(num_timesteps=STEPS, _guidance_scale=4.0)
    embeds = torch.tensor([[0.0], [0.0], [1.0], [2.0]])  # the nulls, and the conditions of two samples
    cut = pytest.importorskip("diffusers.callbacks").SDCFGCutoffCallback(cutoff_step_ratio=0.4)
    assert cut(pipeline, 4, None, {"prompt_embeds": embeds})["prompt_embeds"].tolist() == [[2.0]]
    assert pipeline._guidance_scale == 0
    asked: list[list[float]] = []

    def network(x: Tensor, level: Level, condition: Tensor) -> Tensor:
        asked.append(condition[:, 0].tolist())
        return x

    for hi in (0.0, [0.0, 9.0]):
        guide(Interval(CFG(4), lo=0, hi=hi), network, embeds[2:], kind="v", named={"null": embeds[:1]})(X[:2], Step(VP))
    assert [sorted(each) for each in asked] == [[1, 2], [0, 1, 2]]
