"""The pictures of points, as data URIs that together fit into a page."""

from __future__ import annotations

import warnings
from base64 import b64encode
from collections.abc import Sequence

from ...errors import UsageError
from ...pictures import picture_within
from .content import Row

ROOM = 4_500_000  # bytes of all pictures of a page, before base64 makes them a third longer
LARGEST = 400_000  # bytes of one of them


def strips(rows: Sequence[Row]) -> list[str | None]:
    """Of each row the picture of its samples, the smaller the more there are; None where there is none.

    Warns, once, of those that a file names and that are not there or are no pictures.
    """
    named = [row for row in rows if row.strip is not None]
    found = [_uri(row, min(LARGEST, ROOM // max(1, len(named)))) for row in rows]
    lost = len(named) - sum(uri is not None for uri in found)
    if lost:
        warnings.warn(f"{lost} of {len(named)} strips are missing, or are no pictures: left out", stacklevel=2)
    return found


def _uri(row: Row, most: int) -> str | None:
    if row.strip is None:
        return None
    try:
        found = picture_within(row.strip, most)
    except UsageError:
        return None
    return None if found is None else f"data:{found[0]};base64,{b64encode(found[1]).decode()}"
