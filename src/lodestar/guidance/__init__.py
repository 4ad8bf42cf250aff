"""Guidance: rules that say which predictions they need and how to combine them, and the planner that runs them.

    guide("interval(cfg(4), lo=.28, hi=5.4)", network, condition, kind="v")      a Denoise, for any sampler

Knows no network and no sampler: see `rule.py` for the seam and `rules/` for the rules, each of which can be imported
from here by the name of its class.
"""

from .evaluation import Tally
from .fields import Number, PerSample, take
from .language import parse
from .network import Network, Predict
from .planner import Guided, guide
from .rule import ALL, RULES, Ask, Asks, Rule, View, Wrapper, rule
from .rules.combine.cfg import CFG
from .rules.combine.rescale import Rescale
from .rules.subtract.negative import Negative
from .rules.when.interval import Interval

__all__ = ["ALL", "CFG", "RULES", "Ask", "Asks", "Guided", "Interval", "Negative", "Network", "Number", "PerSample"]
__all__ += ["Predict", "Rescale", "Rule", "Tally", "View", "Wrapper", "guide", "parse", "rule", "take"]


def __getattr__(name: str) -> type[Rule]:
    """A rule by the name of its class: what is found in rules/ need not be listed here."""
    found = RULES.get(name.lower())
    if found is None or found.__name__ != name:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return found
