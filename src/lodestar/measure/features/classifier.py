"""A classifier trained by Lodestar as a detector: its pooled features before the heads, and its answers' probabilities.

It knows the noise and is told that there is none. A folder is all that a detector of one's own takes:

    lodestar train --preset classifier-scenes --out runs/scenes
    detector("runs/scenes/model")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...conditions import JointSchema
from ...core import Level
from ...errors import UsageError
from ...likelihood import Likelihood
from ...networks.classifier import Classifier
from ...pictures import from_uint8
from .detector import FID, digest
from .resize import BICUBIC, resized

CLASS = "class"  # the question of a classifier that has only one


@dataclass(frozen=True, eq=False)
class ClassifierDetector:
    judge: Likelihood
    digest: str
    resize: str = BICUBIC

    @classmethod
    def of(cls, judge: Likelihood, name: str | None = None) -> ClassifierDetector:
        """Raises UsageError for anything but a classifier, and for a name that would pass its numbers off as FID."""
        if not isinstance(judge.network, Classifier):
            raise UsageError(f"'{judge.name}' is a {judge.kind}: a detector is a classifier")
        judge = replace(judge, name=name or judge.name)
        if judge.name == FID:
            raise UsageError(f"only the network of FID is called '{FID}': give the detector another name")
        return cls(judge, digest(judge.network.state_dict()))

    @classmethod
    def load(cls, folder: Path | str, device: torch.device | str = "cpu") -> ClassifierDetector:
        """The one in a folder. Raises UsageError as `Likelihood.load` does."""
        return cls.of(Likelihood.load(folder, device))

    @property
    def name(self) -> str:
        return self.judge.name

    @property
    def dim(self) -> int:
        return self._network.image.features

    @property
    def size(self) -> tuple[int, int, int]:
        return self.judge.shape

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """The answers to each of its questions."""
        schema: Any = self.judge.schema
        parts: Mapping[str, Any] = schema.parts if isinstance(schema, JointSchema) else {CLASS: schema}
        return {question: tuple(part.classes) for question, part in parts.items()}

    def __call__(self, images: Tensor) -> Tensor:
        pixels = resized(images.to(self.judge.device), *self.size[1:])
        return self._network.image(from_uint8(pixels), self._clean(len(images))).float()

    def classify(self, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        features = self(images)
        log_p = (logits.log_softmax(1) for logits in self._network.logits(features))
        return features, dict(zip(self.classes, log_p, strict=True))

    @property
    def _network(self) -> Classifier:
        network = self.judge.network
        assert isinstance(network, Classifier)
        return network

    def _clean(self, n: int) -> Level:
        return self.judge.process.level(torch.zeros(n, dtype=torch.float64, device=self.judge.device))
