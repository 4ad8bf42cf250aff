"""Condition values, their schemas, and the coins that drop them. A kind of condition is one file: value and schema."""

from .chances import Drop, Dropped, DropRamp, Rate, anything, coins, fallen, rates
from .condition import Condition
from .dropping import drop, without
from .image import Image, ImageSchema
from .joint import Joint, JointSchema, PartSchema
from .label import Label, LabelSchema
from .schema import Schema, Value, guidable, schema_from_json, schema_to_json, singles, tokenizer_in
from .text import Text, TextSchema
from .tokenizer import Tokenizer
from .vector import Vector, VectorSchema

__all__ = ["Condition", "Drop", "DropRamp", "Dropped", "Image", "ImageSchema", "Joint", "JointSchema", "Label"]
__all__ += ["LabelSchema", "PartSchema", "Rate", "Schema", "Text", "TextSchema", "Tokenizer", "Value", "Vector"]
__all__ += ["VectorSchema", "anything", "coins", "drop", "fallen", "guidable", "rates", "schema_from_json"]
__all__ += ["schema_to_json", "singles", "tokenizer_in", "without"]
