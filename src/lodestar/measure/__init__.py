"""What a model is worth, in numbers: so far, whether its pictures show what was asked for."""

from .prompts import Accuracy, Row, measure_prompts, prompt_accuracy, prompt_truth, readable, table
from .share import wilson

__all__ = ["Accuracy", "Row", "measure_prompts", "prompt_accuracy", "prompt_truth", "readable", "table", "wilson"]
