"""Data whose truth is known exactly: what everything else is measured against. Imports core and errors only.

mixture.py   Gaussian mixtures: samples, densities, scores and the exact denoiser, at every level
tilted.py    what guidance is said to aim at, p(x | c)^scale p(x)^(1 - scale), normalised by quadrature
grid.py      the cells that this is done on
distance.py  how far samples are from it: W1, sliced W1, total variation
wrong.py     denoisers that are wrong in a known way, as trained ones are
"""

from .distance import Distance, distance, sliced_w1, total_variation, w1
from .grid import Grid
from .mixture import CLEAN, GaussianMixture
from .tilted import Tilted
from .wrong import WRONG, Blurred, Limited, Undertrained, own_fields

__all__ = ["CLEAN", "WRONG", "Blurred", "Distance", "GaussianMixture", "Grid", "Limited", "Tilted", "Undertrained"]
__all__ += ["distance", "own_fields", "sliced_w1", "total_variation", "w1"]
