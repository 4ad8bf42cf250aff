"""Condition values, their schemas, and the coins that drop them."""

from .condition import Condition, coins, drop
from .label import Label
from .schema import (
    LabelSchema,
    Schema,
    TextSchema,
    Value,
    guidable,
    schema_from_json,
    schema_to_json,
)
from .text import Text
from .tokenizer import Tokenizer

__all__ = [
    "Condition",
    "Label",
    "LabelSchema",
    "Schema",
    "Text",
    "TextSchema",
    "Tokenizer",
    "Value",
    "coins",
    "drop",
    "guidable",
    "schema_from_json",
    "schema_to_json",
]
