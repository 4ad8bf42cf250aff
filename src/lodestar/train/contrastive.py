"""Teaches a CLIP which text belongs to which noisy picture. Radford et al. 2021, arXiv:2103.00020, Fig. 3.

    logits = exp(logit_scale) <image_i(x_i; level_i), text_j>          [B, B]
    loss_i = (cross-entropy of row i, which text + of column i, which picture) / 2

Its optimum is log p(x, text) / (p(x) p(text)) and a constant (van den Oord et al. 2018, arXiv:1807.03748, sec. 2.3,
here from both sides), whose gradient by x is that of log p(text | x). For that a text that comes twice is a negative of
itself: left out, it would turn the optimum towards the log odds of that text, which are steeper.

What is contrasted is what one forward pass holds: with `accumulate` above 1, or several processes, the parts of a batch
are not contrasted with each other, so that the task is another one than with the whole batch. Randomness: showing.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..conditions import Text
from ..core import Level
from ..data import Batch
from .showing import Telling
from .task import ACCURACY, condition_of


class Contrasting(Telling):
    """`ACCURACY` is whether the text nearest to a picture, of all that the pass holds, is the same as its own."""

    def seen(self, batch: Batch, x: Tensor, level: Level) -> dict[str, Tensor]:
        text: Text = condition_of(batch, self.network.schema).to(x.device)  # type: ignore[assignment, union-attr]
        logits = self.network.scale * self.network.picture(x, level) @ self.network.encode(text).T  # [B, B]
        own = torch.arange(len(x), device=x.device)
        picture, word = (cross_entropy(each, own, reduction="none") for each in (logits, logits.T))
        return {"loss": (picture + word) / 2, ACCURACY: (text.ids[logits.argmax(1)] == text.ids).all(1).float()}
