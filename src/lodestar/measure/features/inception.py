"""Inception-v3, the network of FID: torch-fidelity's port of the one of 2015, pool of 2048 features and 1008 logits.

Heusel et al. 2017, arXiv:1706.08500; Salimans et al. 2016, arXiv:1606.03498. With TensorFlow 1's bilinear resize to 299
pixels. The weights are those that torch-fidelity publishes (91 MB): a file of them, or the hub if it is asked.
With other weights the detector has another name, and its distance is not called FID.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ...errors import UsageError
from .detector import FID, digest, unusable

OFFICIAL = "6726825d"  # the first digits of the SHA-256 of the file that everybody uses: they stand in its name
LAYERS = ("2048", "logits_unbiased")  # the logits without the last bias, which the Inception score is of
CLASSES = "imagenet"


@dataclass(frozen=True, eq=False)
class Inception:
    network: nn.Module
    name: str
    digest: str
    dim: int = 2048
    resize: str = "bilinear-tf1"
    size: tuple[int, int, int] = (3, 299, 299)

    @classmethod
    def load(cls, file: Path | str | None, device: torch.device | str = "cpu") -> Inception:
        """With the weights in a file, .pth or .safetensors; None: downloaded. Raises UsageError where it cannot."""
        network = _network(None if file is None else Path(file)).to(device)
        found = digest(network.state_dict())
        official = file is None or sha256(Path(file).read_bytes()).hexdigest().startswith(OFFICIAL)
        return cls(network, FID if official else f"{FID}-{found[:8]}", found)

    def __call__(self, images: Tensor) -> Tensor:
        return self.classify(images)[0]

    def classify(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        features, logits = self.network(images.to(next(self.network.parameters()).device))
        return features, {CLASSES: logits.log_softmax(1)}


def _network(file: Path | None) -> nn.Module:
    try:
        from torch_fidelity import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as error:  # the latter of a torchvision that does not fit torch
        raise unusable("Inception", "torch-fidelity", error) from None
    options: dict[str, Any] = {"name": "inception-v3-compat", "features_list": list(LAYERS)}
    if file is None:
        return FeatureExtractorInceptionV3(**options, verbose=False)
    with TemporaryDirectory() as folder:  # it unpickles whatever a file has, so it gets one of tensors alone
        safe = Path(folder) / "weights.pth"
        torch.save(_weights(file), safe)
        try:
            return FeatureExtractorInceptionV3(**options, feature_extractor_weights_path=safe)
        except RuntimeError as error:
            what = " ".join(str(error).split())[:200]
            raise UsageError(f"{file} has not the weights of torch-fidelity's Inception-v3: {what}") from None


def _weights(file: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"there is no file {file}") from None
    except Exception as error:  # whatever unpickling or parsing raises
        raise UsageError(f"{file} is damaged or no file of weights: {str(error).partition(chr(10))[0]}") from None
