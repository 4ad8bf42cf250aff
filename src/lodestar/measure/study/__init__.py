"""The CFG paper's three studies on one's own model: strength, dropout and steps (Ho & Salimans 2022, arXiv:2207.12598).

plan.py says what is drawn, run.py draws what is not there yet, claims.py judges each claim by the measured intervals,
page.py and plots.py tell it.
"""

from .plan import STUDIES, Plan, plan
from .run import measured
from .verdicts import verdicts

__all__ = ["STUDIES", "Plan", "measured", "plan", "verdicts"]
