"""What a model is worth, in numbers: whether its pictures show what was asked for, and how they differ from real ones.

features/   detectors, from pixels to features; metrics/   pure functions of features; each with names of its own
"""

from .prompts import Accuracy, Row, measure_prompts, prompt_accuracy, prompt_truth, readable, table
from .share import wilson

__all__ = ["Accuracy", "Row", "measure_prompts", "prompt_accuracy", "prompt_truth", "readable", "table", "wilson"]
