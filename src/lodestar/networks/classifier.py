"""A noise-aware classifier: one encoder, and a linear head for each of the questions that it is asked.

    log p(answers | x; level) = sum over the questions asked of log softmax(logits)[answer]
    logit of "red circle" = w_red.features + w_circle.features + w_red_circle.features

Its schema says what it tells apart: classes, which are one question, or a joint one of several, each with classes of
its own. What is not asked of a picture, the null, adds nothing. Classes whose names share words share what is learnt of
these: what red looks like need not be learnt of each shape anew. Guidance by a classifier that is the way down of the
U-Net with attention pooling is of Dhariwal & Nichol 2021, arXiv:2105.05233, sec. 4.3; the words are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..conditions import Condition, Joint, Label, LabelSchema, Schema, singles
from ..core import Level
from ..errors import UsageError
from .encoder import ImageEncoderConfig, Reads, encoder


@dataclass(frozen=True)
class ClassifierConfig(Reads):
    image: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)


class Classifier(nn.Module):
    """Raises UsageError for a schema of anything but classes."""

    words: Tensor

    def __init__(self, config: ClassifierConfig, schema: Schema) -> None:
        super().__init__()
        questions = [part for part in singles(schema) if isinstance(part, LabelSchema)]
        if not questions or len(questions) < len(singles(schema)):
            raise UsageError("a classifier tells classes apart: give it a label schema, or a joint one of labels alone")
        self.config, self.schema = config, schema
        self.classes = [len(question.classes) for question in questions]
        self.image = encoder(config.image)
        self.register_buffer("words", torch.block_diag(*(_words(q.classes) for q in questions)), persistent=False)
        self.head = nn.Linear(self.image.features, self.words.shape[1])
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def encode(self, condition: Condition) -> Tensor:
        """The answers int64 [B, Q] that a condition gives, -1 where a question is not asked."""
        schema: Any = self.schema
        schema.check(condition)
        parts = [condition.parts[k] for k in schema.parts] if isinstance(condition, Joint) else [condition]
        return torch.stack([part.index for part in parts if isinstance(part, Label)], 1)

    def forward(self, x: Tensor, level: Level, answers: Tensor) -> Tensor:
        """log p [B] of these answers [B, Q], together."""
        return self.log_p(x, level, answers)[0].sum(1)

    def log_p(self, x: Tensor, level: Level, answers: Tensor) -> tuple[Tensor, Tensor]:
        """Of each question [B, Q]: the log probability of its answer, 0 where it is not asked, and whether no other
        answer has a higher one."""
        logits = self.logits(self.image(x, level))
        log_p, right = zip(*map(_of, logits, answers.to(x.device).unbind(1)), strict=True)
        return torch.stack(log_p, 1), torch.stack(right, 1)

    def logits(self, features: Tensor) -> tuple[Tensor, ...]:
        """Of each question [B, K], from the features [B, D] of its encoder."""
        return (self.head(features).float() @ self.words.T).split(self.classes, 1)


def _words(classes: Sequence[str]) -> Tensor:
    """[A, W]: 1 where a class has a word that it shares with some others but not with all; and its own column."""
    sets = [set(name.split()) for name in classes]
    counts = Counter(word for words in sets for word in words)
    shared = sorted(word for word, n in counts.items() if 1 < n < len(classes))
    has = [[float(word in words) for word in shared] for words in sets]
    return torch.cat([torch.tensor(has).reshape(len(classes), len(shared)), torch.eye(len(classes))], 1)


def _of(logits: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
    """Of one question: log p [B] of the answer [B], and whether it is the likeliest."""
    log_p = logits.log_softmax(1).gather(1, answer.clamp(min=0)[:, None])[:, 0]
    return log_p * (answer >= 0), logits.argmax(1) == answer
