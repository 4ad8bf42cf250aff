"""InstructPix2Pix's drop masks with a factor left out. Brooks et al. 2023, arXiv:2211.09800, sec. 3.2.1.

The authors' code throws one number r a sample: text is dropped where r < 2p, the image where p <= r < 3p, so that the
text alone, both, and the image alone go in p of the samples each. With r < p for the text, both never go together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import lodestar
from lodestar.conditions import Joint, Label
from lodestar.core import generator
from lodestar.oracle import GaussianMixture

from .fitted import Features, Fitted, error, noised
from .plane import perfect
from .row import Row

WORDS = PICTURES = 3  # kinds of each; a sample's component is of one and of the other
TABLE = {"text": 0.05, "image": 0.05, "text+image": 0.05}
MIXTURE = GaussianMixture.random(2, WORDS * PICTURES, torch.Generator().manual_seed(2), per_class=1)

Masks = tuple[Tensor, Tensor]  # bool [B]: the rows that lose the text, and those that lose the image
Draw = Callable[[int, torch.Generator], Masks]


def factor_left_out(n: int, generator: torch.Generator, p: float = 0.05) -> Masks:
    r = torch.rand(n, generator=generator)
    return r < p, (p <= r) & (r < 3 * p)


def by_table(n: int, generator: torch.Generator) -> Masks:
    ones = Label(torch.zeros(n, dtype=torch.long))
    kept = lodestar.drop(Joint({"text": ones, "image": ones}), TABLE, generator).parts
    return ~kept["text"].present, ~kept["image"].present


def measure(n: int) -> list[Row]:
    never, some = (together(draw, 100 * n) for draw in (factor_left_out, by_table))
    wrong, right = (null_error(draw, 5 * n) for draw in (factor_left_out, by_table))
    return [
        Row("samples that lose text and image together", never, some, share=True),
        Row("error of eps(x, no text, no image)", wrong, right),
    ]


def together(draw: Draw, n: int) -> float:
    """The share of samples that lose both."""
    no_text, no_image = draw(n, generator(0))
    return float((no_text & no_image).double().mean())


def null_error(draw: Draw, n: int, width: int = 256) -> float:
    """The mean squared error of eps under neither condition, once training by these masks has gone to its end."""
    g = generator(0)
    component = torch.randint(WORDS * PICTURES, (n,), generator=g)
    x, t, eps = noised(MIXTURE.sample(n, g, component), g)
    no_text, no_image = draw(n, g)
    text = (component // PICTURES).masked_fill(no_text, WORDS)
    image = (component % PICTURES).masked_fill(no_image, PICTURES)
    network = Fitted.trained(eps, Features.random(width, WORDS, PICTURES), x, t, text, image)
    nothing = torch.full_like(text, WORDS)
    return error(network(x, t, nothing, nothing), perfect(MIXTURE)(x, t, torch.full_like(text, WORDS * PICTURES)))
