"""`tune`: the strength, interval, schedule or rule that is best by a metric, within bounds, confirmed on fresh seeds.

space.py among what; search.py how; refine.py along one strength; confirm.py if it holds;
fit.py a schedule that is fitted first
"""

from .confirm import Confirmed, confirmed
from .fit import candidates
from .search import Search, check_price, imported
from .space import Family, Space

__all__ = [
    "Confirmed",
    "Family",
    "Search",
    "Space",
    "candidates",
    "check_price",
    "confirmed",
    "imported",
]
