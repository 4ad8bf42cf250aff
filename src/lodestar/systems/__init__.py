"""Systems that models, rules and samplers make possible: compositions, without a sampler, rule or loop of their own."""

from .editing import edit

__all__ = ["edit"]
