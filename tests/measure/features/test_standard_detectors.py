"""Inception-v3, DINOv2 and CLIP with random weights in the right format: what is read, resized, named and refused."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lodestar.errors import UsageError
from lodestar.measure.features import Clip, DINOv2, Inception, detector, look, named
from lodestar.measure.features import inception as module

PIXELS = torch.randint(0, 256, (2, 3, 20, 20), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.fixture(scope="module", name="weights")
def _weights(tmp_path_factory):
    """A file as torch-fidelity publishes it, but for the values."""
    from torch_fidelity import FeatureExtractorInceptionV3 as Network

    torch.manual_seed(0)
    blank = Network.__new__(Network)
    loads, Network.load_state_dict = Network.load_state_dict, lambda self, state: None
    try:
        blank.__init__("inception-v3-compat", ["2048"], feature_extractor_weights_path=_empty(tmp_path_factory))
    finally:
        Network.load_state_dict = loads
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(blank.state_dict(), path)
    return path


def _empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "empty.pth"
    torch.save({}, path)
    return path


def test_inception_gives_torch_fidelitys_features_and_logits(weights):
    found = detector(f"inception:{weights}")
    from torch_fidelity import FeatureExtractorInceptionV3 as Network

    theirs = Network("inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights)
    features, logits = theirs(PIXELS)
    seen = look(found, PIXELS)
    torch.testing.assert_close(seen.features, features)
    torch.testing.assert_close(seen.log_p["imagenet"], logits.log_softmax(1))
    assert (found.dim, found.size, found.resize) == (2048, (3, 299, 299), "bilinear-tf1")
    assert found.name == f"inception-{found.digest[:8]}"  # other weights: its distance is not FID
    assert named("FD", found).startswith("FD-inception-")


def test_the_weights_that_everybody_uses_make_it_fid_and_any_kind_of_file_will_do(weights, monkeypatch, tmp_path):
    save_file(torch.load(weights), tmp_path / "weights.safetensors")
    found = Inception.load(tmp_path / "weights.safetensors")
    monkeypatch.setattr(module, "OFFICIAL", module.sha256(weights.read_bytes()).hexdigest()[:8])
    official = Inception.load(weights)
    assert (named("FD", official), official.digest) == ("FID", found.digest)


@pytest.mark.parametrize("content", [b"", b"no weights", None], ids=["empty", "text", "other weights"])
def test_files_that_are_no_weights_of_inception_are_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1)}, path) if content is None else path.write_bytes(content)
    with pytest.raises(UsageError, match="weights"):
        detector(f"inception:{path}")


def test_a_file_that_would_run_code_is_not_run(tmp_path):
    class Runs:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    path = tmp_path / "weights.pth"
    torch.save({"a": Runs()}, path)
    with pytest.raises(UsageError, match="damaged or no file of weights"):
        detector(f"inception:{path}")
    assert not (tmp_path / "ran").exists()


@pytest.fixture(name="dinov2")
def _dinov2(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    Dinov2Model(Dinov2Config(**sizes)).save_pretrained(tmp_path / "dino")
    return tmp_path / "dino"


def test_dinov2_is_its_class_token_at_224_pixels(dinov2):
    found = detector(f"dinov2:{dinov2}")
    assert (found.name, found.dim, found.size, found.resize) == ("dinov2-16", 16, (3, 224, 224), "bicubic-antialias")
    features = look(found, PIXELS).features
    large = torch.randint(0, 256, (1, 3, 224, 224), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (large / 255 - mean[:, None, None]) / deviation[:, None, None]
    with torch.no_grad():
        token = found.network(pixels).last_hidden_state[:, 0]
    torch.testing.assert_close(look(found, large).features, token)
    assert features.shape == (2, 16)
    assert found.digest == DINOv2.load(dinov2).digest


@pytest.fixture(name="clip")
def _clip(tmp_path):
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizerFast

    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    words = ["<|startoftext|>", "<|endoftext|>", "a", "red", "circle", "l", "o"]
    words += [f"{letter}</w>" for letter in "abcdeilor"]
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    text = {**small, "vocab_size": len(words), "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1}
    config = CLIPConfig(text_config=text, vision_config={**small, "image_size": 16, "patch_size": 8}, projection_dim=4)
    CLIPModel(config).save_pretrained(folder)
    return folder


def test_clip_sees_pictures_and_reads_texts_of_any_length(clip):
    found = detector(f"clip:{clip}")
    assert isinstance(found, Clip)
    assert (found.name, found.dim, found.size) == ("clip-168", 4, (3, 16, 16))
    assert look(found, PIXELS).features.shape == (2, 4)
    both, alone = found.text(["red", "a circle of red and more and more"]), found.text(["red"])
    assert both.shape == (2, 4)
    torch.testing.assert_close(both[:1], alone)
    ids = found.tokenizer(["red"], return_tensors="pt")
    found_alone = found.network.get_text_features(**ids)
    torch.testing.assert_close(alone, getattr(found_alone, "pooler_output", found_alone))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("inception", "give inception:weights.pth, or inception:hub to download"),
        ("dinov2:", "give dinov2:folder"),
        ("inception:nowhere.pth", "there is no file nowhere.pth"),
        ("dinov2:nowhere", "there is no folder 'nowhere'"),
        ("clip:nowhere", "there is no folder 'nowhere'"),
        ("nowhere/at/all", "no model folder"),
    ],
)
def test_weights_that_are_not_there_are_asked_for(text, why):
    with pytest.raises(UsageError, match=why):
        detector(text)


@pytest.mark.parametrize(("text", "package"), [("inception:x.pth", "torch_fidelity"), ("dinov2:x", "transformers")])
def test_a_package_that_is_missing_is_named_with_the_extra_that_has_it(text, package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(UsageError, match=r"lodestar-diffusion\[measure\]"):
        detector(text)
