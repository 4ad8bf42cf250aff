"""The numbers of the mixture's figure: every rule can be drawn, and what each is said to aim at."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from lodestar.errors import UsageError
from lodestar.figure import mixture
from lodestar.figure.mixture import CLASSES, Aim, aim, denoiser, learnt, panel, triangle
from lodestar.guidance import RULES, Rule, Wrapper, parse
from lodestar.measure.scales import scaled
from lodestar.oracle import Blurred
from lodestar.samplers import sampler

EXACT = triangle()
WEAK = Blurred(EXACT, 0.5)


@cache
def some_aim() -> Aim:
    return aim(EXACT, parse("cfg(2)"), 2.0, 20, 0)


def some(name: str) -> Rule:
    """The rule of this name, around cfg if it is a wrapper; at scale 2 if it has one."""
    rule = parse(f"{name}(cfg)" if issubclass(RULES[name], Wrapper) else name)
    return scaled(rule, 2.0) or rule


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_be_drawn(name: str) -> None:
    found = panel(EXACT, "ddim", sampler("ddim"), replace(some_aim(), rule=some(name)), 4, 0, WEAK)
    assert found.points.isfinite().all()
    assert not found.points.requires_grad
    assert found.evaluations >= 4
    low, high = found.to_target.interval
    assert 0 <= low <= found.to_target.value <= high


def test_most_rules_have_a_scale() -> None:
    assert sum(scaled(some(name), 3.0) is not None for name in RULES) > len(RULES) / 2


@pytest.mark.parametrize(
    ("edit", "other"), [("edit(1, image=1)", "rescale(cfg(1), phi=0)"), ("edit(0, image=1)", "negative(0)")]
)
def test_the_image_of_an_edit_is_the_next_class(edit: str, other: str) -> None:
    found = (replace(some_aim(), rule=parse(text)) for text in (edit, other))
    assert torch.allclose(*(panel(EXACT, "ddim", sampler("ddim"), to, 4, 0, WEAK).points for to in found))


def test_a_loss_is_minus_the_log_density_of_the_class() -> None:
    """So that energy guidance goes towards the class, as the classifier does."""
    off = []
    for text in ("cfg(1)", "energy(cfg(1), strength=10)", "classifier(cfg(1), strength=1)"):
        found = panel(EXACT, "ddim", sampler("ddim"), replace(some_aim(), rule=parse(text)), 4, 0, WEAK)
        off.append(float((found.points * EXACT.means[:, None]).sum(2).mean()))
    assert off[1] > off[0] + 0.1
    assert off[2] > off[0] + 0.1


@pytest.mark.usefixtures("quick")
def test_without_a_scale_the_target_is_the_conditional() -> None:
    to = aim(EXACT, parse("cfgpp"), None, 10, 0)
    assert (to.scale, [t.scale for t in to.targets]) == (None, [1.0] * CLASSES)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "FLOORS", 1)


@pytest.mark.usefixtures("quick")
def test_a_rule_that_asks_for_a_weak_network_aims_away_from_its_data() -> None:
    """p^2 / q of two round Gaussians at one place is a narrower one there: 1 / (2 / .25 - 1 / .5)."""
    to = aim(EXACT, parse("auto(2)"), 2.0, 4000, 0, learnt(WEAK))
    assert [(t.away, t.weak) for t in to.targets] == [(c, WEAK.learnt) for c in range(CLASSES)]
    assert torch.allclose(to.points.mean(1), EXACT.means, atol=0.03)
    assert torch.allclose(to.points.var(1), torch.full((CLASSES, 2), 1 / 6).double(), rtol=0.1)
    assert aim(EXACT, parse("cfg(2)"), 2.0, 10, 0, learnt(WEAK)).targets[0].weak is None


def test_a_rule_that_asks_for_what_is_not_there_says_so() -> None:
    with pytest.raises(UsageError, match="needs a network named 'weak'"):
        panel(EXACT, "ddim", sampler("ddim"), replace(some_aim(), rule=parse("auto(2)")), 2, 0)


def test_the_exact_classifier_from_the_null_is_the_conditional() -> None:
    """Rules that ask for gradients are given log p(c | x)."""
    by_gradient, plain = (
        panel(EXACT, "ddim", sampler("ddim"), replace(some_aim(), rule=parse(text)), 4, 0, WEAK).points
        for text in ("classifier(cfg(0), strength=1)", "cfg(1)")
    )
    assert torch.allclose(by_gradient, plain, atol=1e-9)


def test_a_weak_denoiser_has_data_of_its_own() -> None:
    assert learnt(EXACT) is EXACT
    with pytest.raises(UsageError, match="use blurred or limited"):
        learnt(denoiser("undertrained", EXACT))
