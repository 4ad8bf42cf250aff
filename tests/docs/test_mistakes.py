"""docs/mistakes.md: its code runs, its wrong ways do the damage that it says, and its right ways do not."""

import re
from pathlib import Path

import pytest
import torch
from pages import blocks, dead_links, sections, text

import lodestar
from benchmarks.mistakes import channels, coins, levels, masks, nulls, plane, renoising, scales
from benchmarks.mistakes.__main__ import MISTAKES, N, lines
from lodestar.conditions import Image, Joint, Label
from lodestar.process import DDPM, Flow
from lodestar.samplers.ancestral import ancestral
from lodestar.samplers.ddpm import ddpm

PAGE = "mistakes.md"
SECTIONS = sections(PAGE)
SOURCES = [Path(m.__file__).read_text("utf-8") for m in MISTAKES]
LABELS = plane.asked(600)


def run(number: int, **names: object) -> dict[str, object]:
    """The names of a section's code once all of it has run, with those given that it speaks of."""
    (section,) = (s for title, s in SECTIONS.items() if title.startswith(f"{number}."))
    found: dict[str, object] = {}
    exec(compile("\n".join(blocks(SECTIONS[""])), PAGE, "exec"), found)
    found |= names
    exec(compile("\n".join(blocks(section)), PAGE, "exec"), found)
    return found


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def names() -> dict[str, object]:
    """What its code takes for granted."""
    return {"network": plane.perfect(), "labels": LABELS, "NULL": plane.NULL, "generator": generator()}


def test_what_is_shown_is_what_is_measured():
    shown = [b for b in blocks(text(PAGE)) if re.match(r"(@dataclass\n)?(def|class) (?!eps\b|Network\b)", b)]
    assert [b for b in shown if not any(b in source for source in SOURCES)] == []
    assert len(shown) == 6


def test_links_lead_somewhere():
    assert dead_links(PAGE) == []


def test_a_coin_a_batch_comes_in_lumps():
    wrong, right = (coins.shares(drop, 0) for drop in (coins.one_coin, coins.own_coins))
    assert set(wrong.tolist()) == {0.0, 1.0}
    assert 0 < right.max() < 0.3
    assert wrong.mean() == pytest.approx(0.1, abs=0.1)  # the mean is no lie
    assert right.mean() == pytest.approx(0.1, abs=0.01)


def test_the_null_learnt_by_a_coin_a_batch_is_a_matter_of_luck():
    wrong, right = (coins.null_errors(drop, 300, 16, 60) for drop in (coins.one_coin, coins.own_coins))
    assert wrong.std() > 2.5 * right.std()
    assert wrong.mean() == pytest.approx(float(right.mean()), rel=0.3)  # nor is it worse on the whole


def test_a_coin_inside_the_network_falls_while_sampling():
    right = plane.as_asked(plane.drawn(plane.perfect(), LABELS), LABELS)
    assert coins.falling(LABELS, 0.5) < right - 0.15
    assert coins.falling(LABELS, 0.0) == right


def test_a_coin_inside_makes_guidance_weaker_than_its_scale():
    torch.manual_seed(0)
    dropping = plane.drawn(coins.CoinInside(plane.perfect(), 0.5), LABELS, "cfg(2)")
    at = {scale: plane.drawn(plane.perfect(), LABELS, f"cfg({scale})") for scale in (1, 2)}
    assert plane.apart(dropping, at[1], LABELS) < plane.apart(dropping, at[2], LABELS) / 2


def test_the_line_for_coins_throws_one_for_each():
    dropped = run(1, **names(), Network=object)["labels"]
    gone = dropped == plane.CLASSES
    assert 0.05 < gone.float().mean() < 0.15
    assert torch.equal(dropped[~gone], LABELS[~gone])


def test_a_factor_left_out_never_drops_both():
    assert masks.together(masks.factor_left_out, 20_000) == 0
    assert masks.together(masks.by_table, 20_000) == pytest.approx(0.05, abs=0.01)


def test_what_was_never_dropped_together_was_never_learnt():
    wrong, right = (masks.null_error(draw, 6000) for draw in (masks.factor_left_out, masks.by_table))
    assert wrong > 2 * right


def test_the_line_for_tables_drops_text_image_and_both():
    condition = Joint({"text": Label(torch.zeros(20_000).long()), "image": Image(torch.ones(20_000, 1, 1, 1))})
    kept = run(2, generator=generator(), condition=condition, Masks=object)["condition"].parts
    text, image = ~kept["text"].present, ~kept["image"].present
    for happened in (text & ~image, image & ~text, text & image):
        assert happened.float().mean() == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize("steps", [10, 60])
@pytest.mark.parametrize("back", [renoising.around_x0, renoising.around_the_mean])
def test_the_sqrt_beta_of_one_training_step_shrinks_every_class(steps, back):
    exact, wrong, right = (
        plane.true(LABELS),
        renoising.looped(back, LABELS, steps),
        renoising.drawn(ddpm, LABELS, steps),
    )
    assert plane.apart(wrong, exact, LABELS) > 0.25
    assert plane.apart(right, exact, LABELS) < 0.16
    assert wrong[LABELS == 0].std(0).max() < 0.3 < right[LABELS == 0].std(0).min()


def test_the_beta_of_the_skip_is_no_mistake():
    upper = renoising.drawn(ancestral.bind(noise_mix=1), LABELS, 10)
    assert plane.apart(upper, plane.true(LABELS), LABELS) < 0.1


def test_the_line_for_noise_draws_the_data():
    process = DDPM()
    named = {"null": plane.NULL}
    denoise = lodestar.guide("cfg(1)", plane.perfect(), LABELS, kind="eps", process=process, named=named)
    x = torch.randn(len(LABELS), 2, generator=generator(), dtype=torch.float64)
    drawn = run(3, denoise=denoise, process=process, seeds=range(len(LABELS)), x=x)["x"]
    assert plane.apart(drawn, plane.true(LABELS), LABELS) < 0.16


def test_a_network_that_does_not_read_its_level_pays_for_it_above_all_in_eps():
    labels = plane.asked(300)
    exact = plane.true(labels)
    wrong, right = (plane.apart(x, exact, labels) for x in levels.both(labels, "eps", plane.PROCESS, steps=10))
    assert wrong > 1.8 * right
    flow, _ = (plane.apart(x, exact, labels) for x in levels.both(labels, "flow", Flow(), steps=10))
    assert flow < wrong / 1.5


def test_among_many_dimensions_a_flow_need_not_be_told():
    labels = plane.asked(90)
    blind, seeing = levels.both(labels, "flow", Flow(), levels.MANY, steps=5)
    assert plane.apart(blind, seeing, labels) < 0.1
    blind, seeing = levels.both(labels, "eps", plane.PROCESS, levels.MANY, steps=5)
    assert plane.apart(blind, seeing, labels) > 0.2


def test_the_check_of_the_level_finds_the_network_that_does_not_read_it():
    x = plane.true(LABELS)
    found = run(4, **names(), x=x)
    deaf = found["Network"]()
    deaf.body, deaf.embed = torch.nn.Linear(2, 2).double(), torch.nn.Embedding(4, 2).double()
    with pytest.raises(AssertionError, match="does not read its noise level"):
        run(4, **{**names(), "network": deaf}, x=x)


def test_every_row_is_told_its_step():
    told = []

    def network(x, t, labels):
        told.append(t)
        return plane.perfect()(x, t, labels)

    plane.drawn(network, LABELS[:5], "cfg(2)", steps=4)
    assert [t.tolist() for t in told] == [[float(t)] * 10 for t in (999, 749, 499, 249)]


@pytest.mark.parametrize("scale", [2.0, 4.0])
def test_three_of_four_channels_leave_the_line_of_the_classes(scale):
    labels = torch.ones(500, dtype=torch.long)
    exact = channels.MIXTURE.sample(500, generator(), labels)
    wrong, right = (channels.astray(x, exact) for x in channels.both(labels, scale))
    assert wrong > 1.5 * right
    assert right < 0.1


def test_the_line_for_channels_guides_all_and_leaves_the_variance_out():
    labels = torch.ones(500, dtype=torch.long)
    exact = plane.perfect(channels.MIXTURE)

    def with_variance(x, t, labels):
        return torch.cat([exact(x, t, labels), torch.full_like(x, 7.0)], 1)

    denoise = run(5, network=with_variance, labels=labels, NULL=channels.NULL)["denoise"]
    _, right = channels.both(labels, 4.0)
    assert torch.equal(channels.drawn(denoise, len(labels)), right)


def test_a_w_taken_for_a_scale_is_nearly_the_null():
    exact = plane.perfect()
    assert plane.as_asked(plane.drawn(exact, LABELS, "cfg(0.1)"), LABELS) < 0.5
    assert plane.as_asked(plane.drawn(exact, LABELS, str(run(6)["rule"])), LABELS) > 0.9


def test_a_scale_taken_for_a_w_guides_where_nothing_was_asked():
    (row,) = (r for r in scales.measure(600) if "taken for a w" in r.what)
    assert row.wrong > 2 * row.right


def test_another_null_than_trainings_is_no_null():
    network = nulls.trained(4000)
    wrong, right = (nulls.null_error(network, null, 500) for null in (nulls.ZEROS, plane.NULL))
    assert wrong > 5 * right
    guided = plane.drawn(plane.perfect(), LABELS, "cfg(2)")
    wrong, right = (
        plane.apart(plane.drawn(network, LABELS, "cfg(2)", null=n), guided, LABELS) for n in (nulls.ZEROS, plane.NULL)
    )
    assert wrong > 3 * right


def test_the_lines_for_the_null_have_one_in_training_and_sampling():
    read = []
    given = {"encode": lambda texts: torch.ones(len(texts), 3), "network": lambda x, t, c: read.append(c) or x}
    found = run(7, **given, hidden=torch.randn(400, 3, generator=generator()), generator=generator())
    dropped = (found["hidden"] == 1).all(1)
    assert 0.05 < dropped.float().mean() < 0.15
    found["denoise"](torch.zeros(400, 2), lodestar.Step(DDPM().level(torch.tensor(0.5))))
    assert torch.equal(read[-1][400:], torch.ones(400, 3))


@pytest.mark.slow
def test_the_tables_are_what_the_command_prints():
    printed = [line for line in "\n".join(lines(N)).splitlines() if re.match(r"\| \w", line)]
    told = [line for line in text(PAGE).splitlines() if re.match(r"\| \w", line)]
    assert len(told) == len(printed)
    for ours, theirs in zip(told, printed, strict=True):
        what, *numbers = (cell.strip() for cell in ours.strip("|").split("|"))
        assert what in theirs
        assert [_number(n) for n in numbers] == pytest.approx(
            [_number(n) for n in theirs.strip("|").split("|")[1:]], rel=0.2, abs=0.01
        )


def _number(cell: str) -> float:
    return float(cell.replace("%", "").strip() or 0)
