"""torchvision where its compiled part cannot be loaded: the registry's build beside a CPU-only build of torch.

torch-fidelity, torchmetrics and transformers import it and use none of its kernels. Its Python part wants the schemas
of two operators, which the compiled part would have declared.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

SCHEMAS = [f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms")]
_library = torch.library.Library("torchvision", "FRAGMENT")  # declared as long as this lives


def declare() -> None:
    """Declare what is missing; nothing where torchvision is whole, or not installed."""
    found = find_spec("torchvision")
    if found is None or found.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return
    try:
        torch.ops.load_library(Path(found.origin).parent / "_C.so")
    except OSError:
        for schema in SCHEMAS:
            _library.define(schema)
