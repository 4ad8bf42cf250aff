"""Metrics: pure functions of features, or of pixels, in float64. They know no detector, no model and no file."""

from .accuracy import class_accuracy
from .clip_score import clip_score
from .compare import Compared, compare
from .diversity import diversity
from .frechet import Extrapolated, frechet, frechet_infinity
from .inception_score import InceptionScore, inception_score
from .interval import Interval, bootstrap, by_splits
from .kid import Kid, kid
from .manifold import Manifold, manifold
from .memorisation import copying, nearest
from .mind import mind
from .moments import Moments, Running, moments
from .saturation import clipped, saturation

__all__ = [
    "Compared",
    "Extrapolated",
    "InceptionScore",
    "Interval",
    "Kid",
    "Manifold",
    "Moments",
    "Running",
    "bootstrap",
    "by_splits",
    "class_accuracy",
    "clip_score",
    "clipped",
    "compare",
    "copying",
    "diversity",
    "frechet",
    "frechet_infinity",
    "inception_score",
    "kid",
    "manifold",
    "mind",
    "moments",
    "nearest",
    "saturation",
]
