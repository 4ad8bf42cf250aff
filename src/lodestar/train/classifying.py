"""Teaches a network to tell what a noisy picture shows: cross-entropy at drawn noise levels.

    loss = -sum over the questions asked of log p(answer | x; level)

Dhariwal & Nichol 2021, arXiv:2105.05233, sec. 4.3: the classifier sees the noise of the denoiser's training. A
picture is asked what its class or its caption answers; what that leaves open adds nothing. Randomness: showing.py.
"""

from __future__ import annotations

from torch import Tensor

from ..conditions import Condition, JointSchema, Schema
from ..core import Level
from ..data import Batch
from ..data.scenes.answers import answers
from ..errors import UsageError
from .showing import Telling
from .task import ACCURACY, condition_of


class Classifying(Telling):
    """`ACCURACY` is the share of the questions asked of a picture whose likeliest answer is right."""

    def seen(self, batch: Batch, x: Tensor, level: Level) -> dict[str, Tensor]:
        asked = self.network.encode(answered(batch, self.network.schema)).to(x.device)  # [B, Q]
        log_p, right = self.network.log_p(x, level, asked)
        share = (right & (asked >= 0)).sum(1) / (asked >= 0).sum(1).clamp(min=1)
        return {"loss": -log_p.sum(1), ACCURACY: share}


def answered(batch: Batch, schema: Schema) -> Condition:
    """What is said of each picture [B]: its class, or of several questions what its caption answers.

    Raises UsageError if the data has no such thing.
    """
    if not isinstance(schema, JointSchema):
        return condition_of(batch, schema)  # type: ignore[return-value]  # a label schema's
    if batch.texts is None:
        raise UsageError("a classifier of scenes is told by their captions, and the data has none")
    return schema.encode([answers(text) for text in batch.texts])
