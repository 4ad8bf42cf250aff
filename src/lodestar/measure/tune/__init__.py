"""`tune`: the strength, interval, schedule or rule that is best by a metric, within bounds, confirmed on fresh seeds.

goal.py what is looked for; space.py among what; search.py how; refine.py along one strength; confirm.py if it holds
"""

from .confirm import Confirmed, confirmed
from .goal import Bound, Goal
from .search import Search, check_price, imported
from .space import Family, Space

__all__ = ["Bound", "Confirmed", "Family", "Goal", "Search", "Space", "check_price", "confirmed", "imported"]
