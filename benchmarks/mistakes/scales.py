"""A scale of one convention given to a formula of the other."""

from __future__ import annotations

from torch import Tensor

import lodestar

from .plane import NULL, apart, as_asked, asked, drawn, floor, perfect, true
from .row import Row


def from_the_conditional(cond: Tensor, null: Tensor, w: float) -> Tensor:
    return cond + w * (cond - null)


def measure(n: int) -> list[Row]:
    labels, exact = asked(n), perfect()
    truth = true(labels)
    weak, meant = (as_asked(drawn(exact, labels, rule), labels) for rule in ("cfg(0.1)", str(lodestar.CFG.from_w(0.1))))

    def plain(x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        return from_the_conditional(exact(x, t, labels), exact(x, t, NULL.expand(len(x))), 1.0)

    off, none = (apart(drawn(f, labels), truth, labels) for f in (plain, exact))
    return [
        Row("w = 0.1 taken for a scale: samples of the class asked", weak, meant, share=True),
        Row("scale 1 taken for a w: distance from the unguided truth", off, none, floor(labels)),
    ]
