"""A scale for the instruction and one for the image that it is to edit. Brooks et al. 2022, arXiv:2211.09800, eq. 3.

    null + image (c_image - null) + text (c - c_image)        c_image: under the image alone

Nested, the image first, as in the paper: c_image is the null of the instruction, and text first is another rule. Both
scales 1: the condition, text 0: the image alone, both 0: the null, all exactly. At text = image it is cfg. What has no
weight is not asked.

Linear, hence the same in every space. Cost 3; 2 where the scales are equal, image is 1 or text is 0; 1 where both are.
For a joint condition with the parts "text" and "image", of a model that was trained without text and without both.
"""

from __future__ import annotations

from typing import ClassVar

from ....core import Prediction, Step
from ...fields import Number, settle, values, weight
from ...rule import ALL, Ask, Asks, Rule, View, rule


@rule
class Edit(Rule):
    """A scale for the text and one for the image of a joint condition."""

    text: Number = 7.5  # the paper's
    image: Number = 1.5  # the paper's
    neutral: ClassVar = {"text": 1.0, "image": 1.0}

    def __post_init__(self) -> None:
        settle(self, "text", "image")

    def asks(self, at: Step) -> Asks:
        text, image = values(self.text), values(self.image)
        return {
            "cond": Ask(rows=text != 0),
            "image": Ask(drop=frozenset({"text"}), rows=text != image),
            "null": Ask(drop=ALL, rows=image != 1),
        }

    def __call__(self, view: View, at: Step) -> Prediction:
        text, image = weight(self.text, view.x), weight(self.image, view.x)
        # Equation 3 by what each prediction weighs: exact where a weight is 0 or 1.
        return view["cond"] * text + view["image"] * (image - text) + view["null"] * (1 - image)
