"""Training: one flat loop over any task, and whole runs from presets."""

from .config import TrainConfig
from .loop import Look, Outcome, loop
from .presets import PRESETS, Preset, check, preset, sized
from .run import Run, new_model, train
from .task import Denoising, Task
from .watch import NonFinite

__all__ = ["PRESETS", "Denoising", "Look", "NonFinite", "Outcome", "Preset", "Run", "Task", "TrainConfig"]
__all__ += ["check", "loop", "new_model", "preset", "sized", "train"]
