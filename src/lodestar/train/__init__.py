"""Training: one flat loop over any task, and whole runs from presets."""

from .account import Look
from .config import TrainConfig
from .folder import started_by
from .likelihoods import LikelihoodPreset
from .loop import Outcome, loop
from .named import PRESETS, AnyPreset, preset
from .presets import Preset, sized, with_parts
from .run import Run, check, new_model, train
from .task import Denoising, Task
from .watch import NonFinite

__all__ = ["PRESETS", "AnyPreset", "Denoising", "LikelihoodPreset", "Look", "NonFinite", "Outcome", "Preset", "Run"]
__all__ += ["Task", "TrainConfig"]
__all__ += ["check", "loop", "new_model", "preset", "sized", "started_by", "train", "with_parts"]
