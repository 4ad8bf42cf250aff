"""What each rule does to the errors that networks make: how near its samples come to the true conditional.

Guidance of an exact denoiser only leads away. So here are denoisers of a mixture in the plane that are wrong in a known
way (lodestar/oracle/wrong.py), each beside a weaker one that is more wrong in the same way, which stands for the weak
network, the inner head and the network with a change inside; classifiers are exact. Every rule is tried at several
strengths, and the table of the best ones is shown at the end of the tests.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import groupby

import pytest
import torch
from torch import Tensor

from lodestar.conditions import Label
from lodestar.core import Noise
from lodestar.figure.mixture import Denoiser, bound
from lodestar.guidance import CFG, RULES, Rule, Wrapper, parse
from lodestar.measure.scales import scaled
from lodestar.oracle import WRONG, Blurred, GaussianMixture, Limited, Undertrained, sliced_w1
from lodestar.process import Cosine, levels
from lodestar.samplers import sampler

N = 64  # samples of each strength
MIXTURE = GaussianMixture(
    torch.ones(6),
    torch.tensor([[-0.72, 0.12], [-0.24, 0.6], [-0.18, -0.3], [0.18, 0.24], [0.66, -0.12], [0.24, -0.66]]),
    torch.tensor([[0.018, 0.007], [0.007, 0.018]]).expand(6, 2, 2),
    torch.tensor([0, 0, 0, 1, 1, 1]),
)
NETWORKS: dict[str, tuple[Denoiser, Denoiser]] = {  # and the weaker ones
    "blurred": (Blurred(MIXTURE, 0.18), Blurred(MIXTURE, 0.3)),
    "undertrained": (Undertrained(MIXTURE, 0.4), Undertrained(MIXTURE, 0.7)),
    "limited": (Limited(MIXTURE, 2), Limited(MIXTURE, 1)),
}
GRID = levels(Cosine(), 14, "karras")
SCALES = (1.05, 1.15, 1.4, 2.0, 4.0)
STRENGTHS = {
    **dict.fromkeys(("scale", "text", "scales"), SCALES),
    "strength": (0.03, 0.1, 0.3, 1.0, 3.0),
    "weight": (-0.3, -0.1, -0.03, 0.03, 0.1),
    "mix": (0.1, 0.2, 0.3, 0.4, 0.6),
    "k": (0.8, 0.95, 1.1, 1.3, 2.0),
}
OF_OTHERS = ("mask", "plus", "region", "under")  # by their defaults another rule's guidance, or another condition's


def normal(n: int) -> Tensor:
    """Points [n, 2] of the normal distribution, spread evenly: nothing is random here."""
    even = torch.quasirandom.SobolEngine(2).draw(n + 1)[1:].double()
    return torch.distributions.Normal(0.0, torch.ones((), dtype=torch.float64)).icdf(even)


@torch.no_grad()
def drawn(rule: Rule, network: Denoiser, weak: Denoiser, strengths: int = 1) -> tuple[Tensor, ...]:
    """Samples [N, 2] of a class at each of a rule's strengths, all from the same noise."""
    labels = Label(torch.zeros(N * strengths, dtype=torch.int64))
    start = GRID[0].sigma * normal(N).repeat(strengths, 1).reshape(-1, 1, 1, 2)
    denoise = bound(rule, MIXTURE, network, weak, labels)
    return sampler("dpmpp_2m")(denoise, start, GRID, noise=Noise(range(len(start)))).flatten(1).chunk(strengths)


@cache
def truth() -> Tensor:
    """What an exact network draws without guidance: the conditional, from the same noise and by the same steps."""
    return drawn(CFG(1), MIXTURE, MIXTURE)[0]


def off(rule: Rule, network: Denoiser, weak: Denoiser, strengths: int = 1) -> list[float]:
    """Sliced W1 from the true conditional, at each strength."""
    return [float(sliced_w1(each, truth())) for each in drawn(rule, network, weak, strengths)]


def driven(name: str) -> tuple[str, Rule]:
    """What of a rule is varied, and the rule with all of these strengths, one for each sample.

    Its own strength; of a wrapper that has none, the scale of the cfg inside.
    """
    rule = RULES[name](CFG(1)) if issubclass(RULES[name], Wrapper) else RULES[name]()
    own = next((k for k in STRENGTHS if k in getattr(rule, "neutral", {}) or (k == "mix" and hasattr(rule, k))), None)
    each = [v for v in STRENGTHS[own or "scale"] for _ in range(N)]
    if own is None:
        return "scale", scaled(rule, each)  # type: ignore[arg-type, return-value]
    return own, replace(rule, **{own: (1.0, each) if own == "scales" else each})  # type: ignore[type-var]


@cache
def unguided(kind: str) -> float:
    return off(CFG(1), *NETWORKS[kind])[0]


@cache
def found(name: str, kind: str) -> dict[float, float]:
    """The distance at each strength."""
    own, rule = driven(name)
    return dict(zip(STRENGTHS[own], off(rule, *NETWORKS[kind], len(STRENGTHS[own])), strict=True))


def table() -> str:
    """The least distance that each rule comes to, and the strength that it takes; rules that do the same in one row."""
    names = [n for n in sorted(RULES) if n not in OF_OTHERS]
    rows = {n: (driven(n)[0], *(_best(found(n, kind)) for kind in NETWORKS)) for n in names}
    alike = groupby(sorted(rows, key=lambda n: (rows[n][1:], n)), key=lambda n: rows[n])
    lines = [("rule", "varied", *NETWORKS), ("none", "", *(f"{unguided(kind):.3f}" for kind in NETWORKS))]
    lines += [(", ".join(same), *row) for row, same in alike]
    head = "how far rules are from the true conditional: sliced W1 of what they draw, and the best strength"
    return "\n".join([head, *(f"{a:42}{b:10}{c:15}{d:15}{e}" for a, b, c, d, e in lines)])


def _best(far: dict[float, float]) -> str:
    least = min(far, key=lambda strength: far[strength])
    return f"{far[least]:.3f} at {least:g}"


def test_the_table_has_every_rule(record_property) -> None:
    text = table()
    assert all(name in text for name in RULES if name not in OF_OTHERS)
    record_property("table", text)


def test_every_wrong_denoiser_is_here_and_is_wrong() -> None:
    assert NETWORKS.keys() == WRONG.keys()
    assert all(unguided(kind) > 0.01 for kind in NETWORKS)


@pytest.mark.parametrize("scale", [0.8, 1.2, 2])
def test_guidance_of_an_exact_network_only_leads_away(scale: float) -> None:
    assert off(CFG(scale), MIXTURE, MIXTURE)[0] > 0.01


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("text", ["auto(1)", "pag(cfg(1), strength=0)", "rescale(cfg(1))", "interval(cfg(1))"])
def test_no_guidance_is_none(kind: str, text: str) -> None:
    assert off(parse(text), *NETWORKS[kind]) == [pytest.approx(unguided(kind), rel=1e-9)]


@pytest.mark.parametrize("name", ["auto", "internal", "pag", "seg", "slg"])
def test_away_from_one_that_is_more_wrong_in_the_same_way_undoes_most_of_it(name: str) -> None:
    """Autoguidance's point (Karras et al. 2024), and it holds for whatever the weaker prediction is."""
    for kind in ("blurred", "undertrained"):
        assert min(found(name, kind).values()) < 0.6 * unguided(kind)


def test_away_from_the_null_undoes_some_of_what_is_undertrained_and_a_lot_of_it_does_harm() -> None:
    assert min(found("cfg", "undertrained").values()) < 0.8 * unguided("undertrained")
    for kind in NETWORKS:
        assert found("cfg", kind)[4.0] > 2 * unguided(kind)


def test_a_lower_temperature_sharpens_what_is_blurred() -> None:
    far = found("tsr", "blurred")
    assert far[1.3] < 0.85 * unguided("blurred") < far[0.8]


@pytest.mark.parametrize("name", [n for n in sorted(RULES) if n not in OF_OTHERS])
def test_no_rule_mends_a_network_that_is_too_small(name: str) -> None:
    """Its components are merged, and what says so is in none of its predictions."""
    assert min(found(name, "limited").values()) > 0.85 * unguided("limited")
