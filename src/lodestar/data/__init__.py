"""Training data: the embedded world of scenes, and images of one's own from folders, parquet files and the Hub."""

from .opening import open_source
from .reading import Reading
from .source import Batch, Source, differences, shapes

__all__ = ["Batch", "Reading", "Source", "differences", "open_source", "shapes"]
