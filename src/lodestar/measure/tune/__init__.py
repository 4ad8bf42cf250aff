"""`tune`: the strength, interval, schedule or rule that is best by a metric, within bounds, confirmed on fresh seeds.

goal.py what is looked for; space.py among what; search.py how; refine.py along one strength; confirm.py if it holds;
fit.py a schedule that is fitted first
"""

from .confirm import Confirmed, confirmed
from .fit import candidates
from .goal import Bound, Goal
from .search import Search, check_price, imported
from .space import Family, Space

__all__ = [
    "Bound",
    "Confirmed",
    "Family",
    "Goal",
    "Search",
    "Space",
    "candidates",
    "check_price",
    "confirmed",
    "imported",
]
