"""Networks of the transformers library: from a folder, or from the hub if that is asked for by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...errors import UsageError
from .detector import unusable


def pretrained(kind: str, source: Path | str, hub: bool, device: torch.device | str) -> Any:
    """An instance of a class of transformers, frozen, in fp32. Raises UsageError where it cannot be had."""
    try:
        import transformers

        made = getattr(transformers, kind)
    except (ImportError, AttributeError, RuntimeError) as error:  # the last of a torchvision that does not fit torch
        raise unusable(kind, "transformers", error) from None
    if not hub and not (Path(source) / "config.json").is_file():
        raise UsageError(
            f"there is no folder '{source}' with config.json, as save_pretrained of transformers writes it"
        )
    try:
        found = made.from_pretrained(str(source), local_files_only=not hub)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {kind} from '{source}': {str(error).partition(chr(10))[0]}") from None
    return found.float().eval().requires_grad_(False).to(device) if isinstance(found, torch.nn.Module) else found
