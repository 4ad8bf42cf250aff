"""CLIP guidance: classifier guidance by how near an image and a text are. Nichol et al. 2021 (GLIDE), arXiv:2112.10741.

    g = grad by x of the log density named "clip", for GLIDE's CLIP    exp(logit_scale) <image(x; level), text>

with both features of length 1 (openai/glide-text2im, clip/model_creation.py). All else is as in `classifier`, form
included: GLIDE moves the mean as Alg. 1 does, with g at x. strength 0: the inner rule, exactly. Space: the score's,
that is eps. Cost: that of the rule inside, and a row of CLIP, forward and back.

The rule holds the strength alone. What is near to what is the density's affair, which is told x, the level and the
condition: `lodestar.gradients.similarity` makes one of an image encoder and text features, or, for "more red", of the
features of "a red circle" against those of "a circle". What `lodestar train --preset clip-scenes` trains is a density
itself (lodestar.Likelihood). The encoder has to know the noise, or else reads noise as pixels; one that does not is for
`energy`, which shows it x0.
"""

from __future__ import annotations

from typing import ClassVar

from ...fields import Number
from ...rule import rule
from .classifier import Classifier


@rule
class Clip(Classifier):
    """A rule pushed by the likeness of image and text, as a CLIP that knows the noise sees it."""

    strength: Number = 3.0  # the authors', on their conditional model
    named: ClassVar = "clip"
