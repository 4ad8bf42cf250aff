"""Sampling from a model: seeds, chunks, counts, recipes, and every mistake in one line."""

import errno
import os
import warnings
from dataclasses import replace

import pytest
import torch
from PIL import Image

import lodestar
from lodestar import CFG, Interval, Negative, UsageError
from lodestar.conditions import ImageSchema, JointSchema, LabelSchema, TextSchema, VectorSchema
from lodestar.pictures import read_recipe
from lodestar.request import UnseenWords
from tiny import LABEL, TEXT, TOKENIZER, tiny

MODEL = tiny()
RED, STAR = "a red circle", "a green star"


def filling_up(monkeypatch, after):
    """A disk with space for so many files."""
    spaces = iter(range(after))

    def fsync(_):
        if next(spaces, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lodestar.files.os.fsync", fsync)


def close(a, b):
    return bool(((a.images.int() - b.images.int()).abs() <= 1).all())


def test_images_are_pixels_and_the_result_says_how_they_came_about():
    result = MODEL.sample(RED, n=3, guidance="cfg(4)", sampler="ddim", steps=4, seed=5)
    assert result.images.dtype == torch.uint8
    assert result.images.shape == (3, 8, 8, 3)
    assert result.seeds == [5, 6, 7]
    assert result.prompts == [RED] * 3
    assert result.evaluations == 3 * 4 * 2
    assert result.seconds > 0
    assert result.recipe == {
        "lodestar": lodestar.__version__,
        "torch": torch.__version__,
        "model": "tiny",
        "prompts": [RED],
        "negative": None,
        "guidance": "cfg(4)",
        "sampler": "ddim",
        "steps": 4,
        "grid": "u",
        "seeds": [5, 6, 7],
    }


def test_the_recipe_repeats_the_images():
    first = MODEL.sample([RED, STAR], n=2, guidance=3, sampler="ancestral(noise_mix=0.2)", seed=1)
    told = first.recipe
    asked = {k: told[k] for k in ("guidance", "sampler", "steps", "grid", "negative")}
    again = MODEL.sample(told["prompts"], n=2, seed=told["seeds"][0], **asked)
    assert torch.equal(first.images, again.images)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "dpmpp_2m"])
def test_a_sample_depends_on_its_seed_alone(sampler):
    whole = MODEL.sample(RED, n=5, sampler=sampler, guidance=3)
    last = MODEL.sample(RED, n=1, seed=4, sampler=sampler, guidance=3)
    assert ((whole.images[4:].int() - last.images.int()).abs() <= 1).all()
    assert not torch.equal(whole.images[3], whole.images[4])


def test_each_prompt_may_have_a_seed_of_its_own():
    each = MODEL.sample([RED, STAR], n=2, seed=[7, 100])
    assert each.seeds == each.recipe["seeds"] == [7, 8, 100, 101]
    assert close(each, joined(MODEL.sample(RED, n=2, seed=7), MODEL.sample(STAR, n=2, seed=100)))
    again = MODEL.sample(each.recipe["prompts"], n=2, seed=each.recipe["seeds"][::2])
    assert torch.equal(each.images, again.images)
    assert MODEL.sample([RED, STAR], n=2, seed=range(3, 5)).seeds == [3, 4, 4, 5]


def joined(*results):
    return replace(results[0], images=torch.cat([r.images for r in results]))


@pytest.mark.parametrize("seeds", [[0, 0], [0, 9]], ids=str)
def test_a_picture_has_a_row_for_each_prompt_whatever_the_seeds(tmp_path, seeds):
    MODEL.sample([RED, STAR], n=3, seed=seeds).save(tmp_path / "rows.png")
    MODEL.sample(RED, n=3).save(tmp_path / "row.png")
    rows, row = (Image.open(tmp_path / name).size for name in ("rows.png", "row.png"))
    assert rows[0] > row[0]  # a label beside each row
    assert rows[1] > 1.5 * row[1]


def test_a_grid_is_chosen_by_name_and_a_card_may_have_one():
    asked = {"steps": 4, "seed": 3}
    u, lam = (MODEL.sample(RED, grid=grid, **asked) for grid in ("u", "lam"))
    assert (u.recipe["grid"], lam.recipe["grid"]) == ("u", "lam")
    assert torch.equal(u.images, MODEL.sample(RED, **asked).images)
    assert not torch.equal(u.images, lam.images)
    assert torch.equal(tiny(card={"grid": "lam"}).sample(RED, **asked).images, lam.images)


BOTH = tiny(JointSchema({"text": TEXT, "image": ImageSchema((1, 4, 4)), "pose": VectorSchema(2)}, 0.1))
SKETCH, POSE = torch.full((1, 4, 4), 0.5), torch.tensor([0.5, -1.0])
PARTS = {"text": RED, "image": SKETCH, "pose": POSE}


def test_a_mapping_is_one_prompt_and_a_list_of_them_several():
    one = BOTH.sample(PARTS, guidance=2)
    assert one.images.shape == (1, 8, 8, 3)
    several = BOTH.sample([PARTS, {"text": STAR}, None], guidance=2)
    assert several.images.shape == (3, 8, 8, 3)
    assert close(one, replace(several, images=several.images[:1]))
    for other in ({**PARTS, "image": -SKETCH}, {**PARTS, "pose": -POSE}, {**PARTS, "text": STAR}):
        assert not close(one, BOTH.sample(other, guidance=2))


def test_the_recipe_of_a_mapping_keeps_what_json_can_hold(tmp_path):
    result = BOTH.sample([PARTS, {"text": STAR}], n=2)
    [first, second] = result.recipe["prompts"]
    assert first == {"text": RED, "image": first["image"], "pose": [0.5, -1.0]}
    assert second == {"text": STAR}
    assert result.prompts == [first, first, second, second]
    other = BOTH.sample({**PARTS, "image": -SKETCH}).recipe["prompts"][0]["image"]
    assert len(first["image"]) == len(other) == 16  # a digest, as of a picture to start from
    assert first["image"] != other
    result.save(tmp_path / "a.png")
    assert read_recipe(tmp_path / "a.png") == result.recipe
    assert read_recipe(result.save_each(tmp_path / "b")[0])["sample"]["prompt"] == first


def test_a_negative_mapping_stands_in_for_the_parts_that_it_names():
    asked = {"guidance": "negative(3)", "seed": 1}
    away = BOTH.sample(PARTS, negative={"text": STAR}, **asked)
    assert away.recipe["negative"] == {"text": STAR}
    assert close(away, BOTH.sample(PARTS, negative={**PARTS, "text": STAR}, **asked))
    assert not close(away, BOTH.sample(PARTS, negative={"text": STAR, "pose": -POSE}, **asked))


@pytest.mark.parametrize(
    ("prompt", "negative", "says"),
    [
        ({"txt": RED}, None, "unknown part 'txt': did you mean 'text'"),
        (RED, None, r"says which part is what \(text, image, pose\), got 'a red circle'"),
        ({"text": " "}, None, "the prompt is empty"),
        (PARTS, {"text": ""}, "the negative prompt is empty"),
        (PARTS, {"text": None}, r"say at least one part \(text, image, pose\), got {'text': None}"),
        (torch.ones(2, 3, 3), None, "says which part is what .* got tensor"),
        (PARTS, {"txt": RED}, "unknown part 'txt'"),
        (PARTS, RED, "says which part is what"),
        ({"image": "photo.png"}, None, "Image takes numbers"),
    ],
)
def test_mistakes_in_a_mapping_are_one_line(prompt, negative, says):
    with pytest.raises(UsageError, match=says) as refused:
        BOTH.sample(prompt, negative=negative, guidance=None if negative is None else "negative(2)")
    assert "\n" not in str(refused.value)


def test_words_that_a_joint_model_never_saw_are_told():
    with pytest.warns(UnseenWords, match="owl"):
        BOTH.sample({"text": "an owl"}, negative={"text": RED}, guidance="negative(2)")


@pytest.mark.parametrize("batch", [1, 2, 4, 100])
def test_chunks_change_nothing(batch):
    asked = {"n": 2, "guidance": CFG([1.0, 6.0]), "sampler": "ancestral", "negative": None}
    whole = MODEL.sample([RED, STAR], **asked)
    chunked = MODEL.sample([RED, STAR], batch=batch, **asked)
    assert close(whole, chunked)
    assert chunked.evaluations == whole.evaluations == 3 * (2 + 2 * 2)  # the null of scale 1 is not evaluated
    assert chunked.seeds == whole.seeds == [0, 1, 0, 1]


@pytest.mark.parametrize("scale", [torch.tensor([2.0, 6.0]), [2.0, 6.0], CFG([2, 6]), "cfg([2, 6])"], ids=repr)
def test_a_scale_for_each_prompt(scale):
    together = MODEL.sample([RED, STAR], n=2, guidance=scale)
    alone = MODEL.sample(STAR, n=2, guidance=6)
    assert ((together.images[2:].int() - alone.images.int()).abs() <= 1).all()


def test_a_scale_for_each_sample():
    together = MODEL.sample(RED, n=2, guidance=[2.0, 6.0])
    assert close(MODEL.sample(RED, n=2, guidance=[6.0, 6.0]), MODEL.sample(RED, n=2, guidance=6))
    assert torch.equal(together.images[1], MODEL.sample(RED, n=2, guidance=[6.0, 6.0]).images[1])


def test_scales_inside_other_rules_are_sliced_too():
    rule = Interval(CFG([2.0, 6.0]), lo=0.0, hi=float("inf"))
    assert close(MODEL.sample([RED, STAR], guidance=rule, batch=1), MODEL.sample([RED, STAR], guidance=rule))


def test_prompts_and_guidance_matter():
    images = [MODEL.sample(p, guidance=g).images for p, g in ((RED, 1), (STAR, 1), (RED, 6), (None, None))]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])


@pytest.mark.parametrize("model", [MODEL, tiny(LABEL), tiny(None)], ids=["text", "label", "none"])
def test_without_a_prompt_each_step_is_one_evaluation(model):
    result = model.sample(None, n=2, steps=4)
    assert result.evaluations == 2 * 4
    assert result.prompts == [None, None]


def test_without_a_prompt_a_default_guidance_is_left_out_and_an_asked_one_too_with_a_warning():
    guided = tiny(card={"guidance": "cfg(4)", "steps": 3})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = guided.sample(None)
    with pytest.warns(UserWarning, match=r"cfg\(4\) has nothing to pull towards"):
        assert torch.equal(guided.sample(None, guidance=4).images, result.images)
    assert result.evaluations == 3


def test_a_list_may_mix_prompts_and_none():
    mixed = MODEL.sample([RED, None], guidance=4)
    assert ((mixed.images[1:].int() - MODEL.sample(None).images.int()).abs() <= 1).all()


def test_the_defaults_are_the_cards():
    model = tiny(card={"guidance": "cfg(3)", "sampler": "dpmpp_2m", "steps": 2})
    recipe = model.sample(RED).recipe
    assert (recipe["guidance"], recipe["sampler"], recipe["steps"]) == ("cfg(3)", "dpmpp_2m", 2)


def test_classes_by_name_and_number():
    model = tiny(LABEL)
    assert torch.equal(model.sample("dog", guidance=2).images, model.sample(1, guidance=2).images)
    assert not torch.equal(model.sample("dog").images, model.sample("cat").images)


def test_a_negative_prompt_takes_the_place_of_the_null():
    asked = MODEL.sample(RED, guidance=Negative(3), negative=STAR)
    assert torch.equal(MODEL.sample(RED, guidance=3, negative=STAR).images, asked.images)
    assert asked.recipe["guidance"] == "negative(3)"
    assert asked.recipe["negative"] == STAR
    assert not torch.equal(MODEL.sample(RED, guidance=3).images, asked.images)


@pytest.mark.parametrize("scale", ["4", " 2.5 ", "-1"])
def test_a_number_as_text_is_that_number(scale):
    assert MODEL.sample(RED, guidance=scale).recipe["guidance"] == str(CFG(float(scale)))
    assert MODEL.sample(RED, guidance=scale, negative=STAR).recipe["guidance"] == str(Negative(float(scale)))


@pytest.mark.parametrize(
    ("guidance", "rule"),
    [
        (None, "negative(1)"),
        (1, "negative(1)"),
        ([1.0, 1.0], "negative([1, 1])"),
        ("interval(negative([1, 1]), lo=0, hi=9)", "interval(negative([1, 1]), lo=0, hi=9)"),
    ],
    ids=str,
)
def test_a_negative_prompt_without_effect_is_said(guidance, rule):
    with pytest.warns(UserWarning, match="without effect") as said:
        result = MODEL.sample(RED, n=2, guidance=guidance, negative=STAR)
    (line,) = map(str, (w.message for w in said))
    assert f"guidance {rule} leaves the negative prompt (--negative, negative=) without effect" in line
    assert "negative(4)" in line
    assert torch.equal(result.images, MODEL.sample(RED, n=2).images)


def test_a_negative_prompt_that_some_sample_reads_is_no_reason_to_speak():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MODEL.sample(RED, n=2, guidance=[1.0, 2.0], negative=STAR)


def test_a_negative_prompt_changes_the_default_rule_inside_its_wrappers():
    model = tiny(card={"guidance": "interval(cfg(4), lo=0, hi=9)", "steps": 3})
    assert model.sample(RED, negative=STAR).recipe["guidance"].startswith("interval(negative(4)")


def test_steps_are_reported():
    seen = []
    MODEL.sample(RED, n=3, steps=2, batch=2, on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_any_function_is_a_sampler():
    def still(denoise, x, levels, *, noise=None):
        return denoise.begin()(x, lodestar.Step(levels[0])).x0

    result = MODEL.sample(RED, sampler=still)
    assert result.evaluations == 1
    assert result.recipe["sampler"] == "still"


def test_the_picture_carries_the_recipe(tmp_path):
    result = MODEL.sample([RED, STAR], n=2, guidance=3)
    result.save(tmp_path / "strip.png")
    assert read_recipe(tmp_path / "strip.png") == result.recipe
    paths = result.save_each(tmp_path / "each")
    assert [p.name for p in paths] == ["00000.png", "00001.png", "00002.png", "00003.png"]
    assert read_recipe(paths[3])["sample"] == {"index": 3, "prompt": STAR, "seed": 1}


def test_a_result_is_shown_without_its_pixels():
    result = MODEL.sample(RED, n=2)
    assert "seeds=[0, 1]" in repr(result)
    assert "tensor" not in repr(result)


@pytest.mark.parametrize("name", ["strip.jpg", "strip"])
def test_a_picture_that_is_not_called_png_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=f"{name} must end in .png, which is what is written"):
        MODEL.sample(RED).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_model_by_its_name_has_to_be_loaded():
    with pytest.raises(UsageError, match=r"'scenes-32' is a name: sample the model, lodestar.load\('scenes-32'\)"):
        lodestar.sample("scenes-32", RED)


def test_pictures_of_each_are_all_written_or_none(tmp_path, monkeypatch):
    result = MODEL.sample(RED, n=3)
    filling_up(monkeypatch, after=2)
    with pytest.raises(UsageError, match="No space left on device"):
        result.save_each(tmp_path / "each")
    assert not (tmp_path / "each").exists()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": -3}, "got -3"),
        ({"n": 0}, "n must be a whole number of at least 1, got 0"),
        ({"batch": 0}, "batch must be"),
        ({"n": 1.5}, "got 1.5"),
        ({"steps": 10**9}, "steps must be at most 10000, got 1000000000"),
        ({"n": 10**12}, "n must be at most 1000000, got 1000000000000"),
        ({"grid": "lamb"}, "unknown grid 'lamb': did you mean 'lam'"),
        ({"grid": None, "sampler": ""}, "cannot read ''"),
        ({"seed": 1.5}, "a seed is a whole number, got 1.5"),
        ({"seed": "12"}, "a seed is a whole number, got '1'"),
        ({"seed": True}, "a seed is a whole number, got True"),
        ({"seed": [1, 2]}, "seed has 2 values for 1 prompts: give one, or one for each prompt"),
        ({"guidance": ""}, "cannot read ''"),
        ({"guidance": "nan"}, "scale must be finite, got nan"),
        ({"guidance": "[2, 3]"}, "expected a name such as cfg(4)"),
        ({"sampler": "dddim"}, "did you mean 'ddim'"),
        ({"guidance": "cgf(4)"}, "did you mean 'cfg'"),
        ({"guidance": float("nan")}, "scale must be finite, got nan"),
        ({"guidance": "cfg(inf)"}, "scale must be finite, got inf"),
        ({"guidance": torch.tensor([1.0, float("nan")])}, "scale must be finite, got nan"),
        ({"guidance": "cfg(strong)"}, "strong"),
        ({"guidance": [1.0, 2.0, 3.0]}, "scale has 3 values for 1 prompts and 2 samples"),
        ({"prompts": ""}, "--unconditional"),
        ({"prompts": "  \n"}, "--unconditional"),
        ({"prompts": []}, "no prompts"),
        ({"prompts": [RED, ""]}, "empty"),
        ({"prompts": 3}, "a prompt is a text"),
        ({"prompts": 3.5}, "a prompt is a text, got 3.5"),
        ({"prompts": b"red"}, "a prompt is a text, got b'red'"),
        ({"prompts": Ellipsis}, "a prompt is a text, got Ellipsis"),
        ({"guidance": CFG}, "guidance is a rule such as CFG(4), got the class CFG itself"),
        ({"sampler": 3}, "sampler must be a name such as 'ddim', or a function, got 3"),
        ({"grid": 3}, "grid must be a name such as 'lam', got 3"),
        ({"negative": ""}, "the negative prompt is empty: leave it out (--negative, negative=)"),
        (
            {"negative": STAR, "guidance": "cfg(4)"},
            "cfg(4) reads the negative prompt (--negative, negative=) at no step",
        ),
        ({"negative": STAR, "guidance": "interval(negative(4), lo=5, hi=5.1)"}, "at no step"),
        ({"guidance": "negative(4)"}, "negative(4) needs a negative prompt: give one (--negative, negative=)"),
        ({"guidance": "rescale(negative(4))"}, "needs a negative prompt"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_mistakes_are_named_in_one_line(asked, says):
    with pytest.raises(UsageError) as caught:
        MODEL.sample(**{"prompts": RED, "n": 2, **asked})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("batch", [None, 1])
def test_a_sample_that_is_not_finite_is_refused_and_its_guidance_named(batch):
    with pytest.raises(UsageError, match=r"^sample 1 \(seed 1\) .* guidance cfg\(\[1e\+39\]\)") as caught:
        MODEL.sample(RED, n=2, guidance=[4, 1e39], batch=batch)
    assert "\n" not in str(caught.value)


def test_one_pixel_that_is_not_finite_is_enough():
    def spoilt(denoise, x, levels, *, noise=None):
        x = torch.zeros_like(x)
        x[1, 0, 0, 0] = torch.inf
        return x

    with pytest.raises(UsageError, match=r"^sample 1 \(seed 8\) is not finite"):
        MODEL.sample(RED, n=3, seed=7, sampler=spoilt)


def test_an_unknown_class_gets_the_nearest():
    with pytest.raises(UsageError, match="unknown class 'dgo': did you mean 'dog'"):
        tiny(LABEL).sample("dgo")


@pytest.mark.parametrize("asked", [{"prompts": RED}, {"guidance": 4}, {"guidance": [2.0]}, {"negative": RED}])
def test_an_unconditional_model_takes_no_prompt_and_no_guidance(asked):
    with pytest.raises(UsageError, match="model 'tiny' is unconditional"):
        tiny(None).sample(**{"prompts": None, **asked})


def test_an_unconditional_model_takes_the_neutral_scale():
    assert tiny(None).sample(None, guidance=1).evaluations == 3


NEVER = [TextSchema(8, drop=0.0, tokenizer=TOKENIZER), LabelSchema(("cat", "dog"), drop=0.0)]


@pytest.mark.parametrize("schema", NEVER, ids=["text", "label"])
@pytest.mark.parametrize(("without", "scale"), [(False, 4), (False, 0), (True, None), (True, 1)])
def test_a_null_that_was_never_seen_is_refused(schema, without, scale):
    prompt = RED if isinstance(schema, TextSchema) else "cat"
    with pytest.raises(UsageError, match=r"model 'tiny' never saw its null in training \(drop 0\)"):
        tiny(schema).sample([prompt, None] if without else prompt, guidance=scale)


def test_a_rule_for_several_conditions_is_refused_by_a_model_of_one():
    with pytest.raises(UsageError, match=r"edit\(5, image=2\) drops a part .*\(text\), .*'tiny' has none: use cfg"):
        tiny().sample(RED, guidance="edit(5, image=2)")


@pytest.mark.parametrize("asked", [{"guidance": 1}, {}, {"guidance": 4, "negative": STAR}], ids=str)
def test_a_null_that_was_never_seen_is_not_needed_for_these(asked):
    assert len(tiny(NEVER[0]).sample(RED, **asked).images) == 1


def test_words_that_the_model_never_saw_are_named():
    with pytest.warns(UserWarning, match="never saw in training: ox, pig$"):
        MODEL.sample("Ox pig")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MODEL.sample("A red circle, above a BLUE")
        warnings.simplefilter("ignore", UnseenWords)
        MODEL.sample("Ox pig")


def test_sampling_leaves_no_gradients_and_no_modes_behind():
    MODEL.sample(RED)
    assert not torch.is_inference_mode_enabled()
    assert MODEL.schema == TEXT
