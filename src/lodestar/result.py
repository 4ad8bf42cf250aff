"""What sampling gives back: images, and all that is needed to make them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from .conditions import Value
from .pictures import picture, save_png, strip


@dataclass(frozen=True)
class Result:
    """Images and how they came about. Samples of one prompt are neighbours."""

    images: Tensor  # uint8 [B, H, W, C], on the CPU
    seeds: list[int]  # [B]
    evaluations: int  # network rows, all samples and steps together
    seconds: float
    recipe: dict[str, object]
    prompts: list[Value]  # [B]

    def save(self, path: Path | str) -> None:
        """One picture, a row for each prompt, with the recipe in its metadata."""
        n = len(self.seeds) // self.seeds.count(self.seeds[0])  # of each prompt
        rows, names = self.images.split(n), [_shown(p) for p in self.prompts[::n]]
        one = len(rows) == 1
        title = names[0] if one else str(self.recipe["guidance"])
        save_png(strip(rows, [] if one else names, title), path, self.recipe)

    def save_each(self, folder: Path | str) -> list[Path]:
        """A PNG for each sample, 00000.png and so on; its recipe says which sample of the call it is."""
        paths = [Path(folder) / f"{i:05d}.png" for i in range(len(self.images))]
        for i, (path, image) in enumerate(zip(paths, self.images, strict=True)):
            own = {"index": i, "prompt": self.prompts[i], "seed": self.seeds[i]}
            save_png(picture(image), path, {**self.recipe, "sample": own})
        return paths


def _shown(prompt: Value) -> str:
    return "no prompt" if prompt is None else str(prompt)
