"""Arrays by name in an .npz file: samples that somebody else drew, and published statistics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, is_zipfile

from ..errors import UsageError

if TYPE_CHECKING:
    import numpy as np


def arrays(path: Path) -> dict[str, np.ndarray]:
    """All of them. Raises UsageError where the file is no .npz, is damaged, or holds Python objects."""
    import numpy as np

    try:
        with path.open("rb") as file:
            if not is_zipfile(file):
                raise UsageError(f"{path} is no .npz file, or a part of one: numpy.savez makes them")
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{path} cannot be read as .npz: {why}") from None
