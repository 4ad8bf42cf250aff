"""`lodestar figure`: the CFG paper's Figure 2, with what samplers really draw beside the target, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from ..errors import UsageError
from . import show
from .command import Command
from .config import to_json

if TYPE_CHECKING:
    from ..figure.mixture import Denoiser, Panel
    from ..guidance import Rule
    from ..oracle import Distance, GaussianMixture
    from ..samplers import Sampler

Scales = Annotated[tuple[float, ...], arg(metavar="FLOAT ...")]
SCALES = (1.0, 2.0, 4.0)  # the columns of a rule that has one
Samplers = Annotated[tuple[str, ...], arg(metavar="SAMPLER ...")]


@dataclass(frozen=True, kw_only=True)
class Figure(Command):
    """Draw what guidance is said to aim at, and what it really draws, on data whose truth is known exactly."""

    what: Positional[Literal["mixture"]] = "mixture"  # three Gaussians at the corners of a triangle, a class each
    scales: Scales | None = None  # of the rule in --guidance, a column each; by default 1 2 4, if it has a scale
    guidance: str = "cfg"  # a rule, as "interval(cfg(4), lo=.28, hi=5.4)"; --scales replaces its scale
    samplers: Samplers = ("ancestral", "ddim")  # a row each, as "ancestral(noise_mix=0.2)"
    denoiser: str = "exact"  # or one that is wrong: "blurred(width=.3)", "undertrained(share=.3)"
    weak: str = "blurred(width=.5)"  # the lesser one, for rules that ask for another network, head or inside
    steps: int = 64  # of the sampler
    n: int = 2000  # samples of each class
    seed: int = 0
    out: Path = Path("mixture.png")  # the picture
    threads: int | None = None  # of the CPU; by default as torch has them

    def resolved(self) -> Figure:
        from ..expression import parse_call
        from ..guidance import parse

        scales = tuple(scale for scale, _ in self._asked().rules if scale is not None) or None
        denoiser, weak = (str(parse_call(text)) for text in (self.denoiser, self.weak))
        return replace(self, guidance=str(parse(self.guidance)), scales=scales, denoiser=denoiser, weak=weak)

    def run(self) -> dict[str, object]:
        from ..figure import drawing
        from ..pictures import picture, save_png
        from ..plotting import check

        check("figures", "figure")
        asked = self._asked()
        show.check_picture(self.out, self.json)
        panels = self._panels(asked)
        settled = to_json(self.resolved())
        _print(panels)
        title = f"denoiser {settled['denoiser']}, {self.steps} steps, {self.n} samples of each class"
        save_png(picture(drawing.draw(panels, title)), self.out, settled)
        print(f"picture: {self.out}")
        return {"config": settled, "picture": str(self.out), "panels": [_entry(p) for p in panels]}

    def _asked(self) -> Asked:
        """What the texts stand for. Raises UsageError where they stand for nothing."""
        from ..figure.mixture import denoiser, learnt, triangle
        from ..job import check_weights
        from ..request import whole
        from ..samplers import sampler

        for name in ("n", "steps", *(["threads"] if self.threads is not None else [])):
            whole(f"--{name}", getattr(self, name))
        for name in ("scales", "samplers"):
            if getattr(self, name) == ():
                raise UsageError(f"--{name} is empty: give at least one")
        mixture = triangle()
        learnt(weak := denoiser(self.weak, mixture))
        network, samplers = denoiser(self.denoiser, mixture), {name: sampler(name) for name in self.samplers}
        rules = self._rules()
        for _, rule in rules:
            for function in samplers.values():
                check_weights(function, rule, self.n)
        return Asked(mixture, network, weak, rules, samplers)

    def _rules(self) -> list[tuple[float | None, Rule]]:
        """The rule at each scale; where it has none and nobody asks for any, as it is written."""
        from ..guidance import parse
        from ..measure.scales import at_scale, scaled

        rule = parse(self.guidance)
        if self.scales is None and scaled(rule, 1.0) is None:
            return [(None, rule)]
        return [(scale, at_scale(self.guidance, scale)) for scale in self.scales or SCALES]

    def _panels(self, asked: Asked) -> list[Panel]:
        """Sampler by sampler, at each scale."""
        import torch

        from ..figure.mixture import aim, learnt, panel

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        weak = learnt(asked.weak)
        aims = [aim(asked.mixture, rule, scale, self.n, self.seed, weak) for scale, rule in asked.rules]
        jobs = [(name, sampler, to) for name, sampler in asked.samplers.items() for to in aims]
        done = []
        with show.progress() as bar:
            task = bar.add_task("sampling", total=len(jobs))
            for name, sampler, to in jobs:
                done.append(panel(asked.network, name, sampler, to, self.steps, self.seed, asked.weak))
                bar.advance(task)
        return done


@dataclass(frozen=True)
class Asked:
    """The options as what they stand for."""

    mixture: GaussianMixture
    network: Denoiser
    weak: Denoiser
    rules: list[tuple[float | None, Rule]]  # by scale
    samplers: Mapping[str, Sampler]


def _print(panels: Sequence[Panel]) -> None:
    heads = ["sampler", "scale", "w", "W1 to target", "95 %", "exact samples", "W1 to conditional", "95 %"]
    heads.append("evaluations/sample")
    rows = []
    for p in panels:
        scale = ["-", "-"] if p.aim.scale is None else [f"{p.aim.scale:g}", f"{p.aim.scale - 1:g}"]
        apart = [*_shown(p.to_target), f"{p.aim.floor:.4f}", *_shown(p.to_conditional)]
        rows.append([p.sampler, *scale, *apart, f"{p.evaluations:g}"])
    show.table(heads, rows, right=heads[1:])


def _shown(distance: Distance) -> tuple[str, str]:
    low, high = distance.interval
    return f"{distance.value:.4f}", f"{low:.4f} to {high:.4f}"


def _entry(panel: Panel) -> dict[str, object]:
    """A panel's numbers, as JSON values."""
    return {
        "sampler": panel.sampler,
        "guidance": str(panel.aim.rule),
        "scale": panel.aim.scale,
        "w": None if panel.aim.scale is None else panel.aim.scale - 1,
        "to_target": _distance(panel.to_target),
        "to_conditional": _distance(panel.to_conditional),
        "exact_samples": panel.aim.floor,
        "evaluations_per_sample": panel.evaluations,
    }


def _distance(distance: Distance) -> dict[str, object]:
    return {"w1": distance.value, "interval": list(distance.interval)}
