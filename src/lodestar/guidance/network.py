"""A network as guidance sees it: how it is called, and how what it puts out becomes predictions.

    predict(x [R, ...], level, context)        what a Model is, and any callable without a process
    predict(x [R, ...], t [R], context)        with a process, where t = process.timestep(level); (x, t) if no context

It puts out a tensor of its kind, a Prediction, or several of these by name, "main" among them: its heads. It may have

    encode(condition)    what it reads in place of a condition, batch first; made once a trajectory, so that keys and
                         values of attention, returned from here, are kept
    hooked(name)         the same network, called alike, with this change inside it, such as "skip(7)"; a UsageError on
                         a name that it does not have
    process              its own, as a Model: it is called with levels, whatever the process of others
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..core import KINDS, Kind, Level, Prediction, Process, convert, noisier
from ..errors import UsageError, unknown

Output: TypeAlias = Tensor | Prediction
Predict: TypeAlias = Callable[..., Output | Mapping[str, Output]]


@dataclass(frozen=True)
class Network:
    """A callable, the kind of its tensors (None: it returns Predictions), and the process that tells it the noise.

    Raises UsageError for an unknown kind, and for a process that tells it nothing.
    """

    predict: Predict
    kind: Kind | None = None
    process: Process | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise unknown("kind", str(self.kind), KINDS)
        if self.process is not None and hasattr(self.predict, "process"):
            raise UsageError("the network knows its own process: leave process out")
        if self.process is not None and not hasattr(self.process, "timestep"):
            raise UsageError(f"{self.process} has no timestep(level), which says what a network is told")

    def __call__(
        self, x: Tensor, level: Level, context: Any, heads: Sequence[str], grad: bool = False
    ) -> dict[str, Prediction]:
        """Predictions [R, ...] by head; grad: refuse outputs that do not depend on x as autograd sees it."""
        # Of a copy, for a network may change its input in place, and this one is the sampler's.
        out = self.told(self.predict, x.clone(), level, context)
        outs = out if isinstance(out, Mapping) else {"main": out}
        for head in heads:
            if head not in outs:
                mend = f"train one with it, and return both by name (there are {', '.join(outs)})"
                raise UsageError(f"this guidance needs a network with the head '{head}': {mend}")
        return {head: self._read(outs[head], x, level, grad) for head in heads}

    def told(self, function: Callable[..., Any], x: Tensor, level: Level, context: Any) -> Any:
        """What a function of x, the noise and a context says, told the noise as this network is."""
        if self.process is None:
            return function(x, level, context)
        t = self.process.timestep(level).to(x.device, torch.promote_types(x.dtype, torch.float32)).expand(len(x))
        return function(x, t) if context is None else function(x, t, context)

    def noisier(self, level: Level, factor: Tensor) -> Level:
        """The levels [R] with sigma/alpha times factor [R], within the ends of the process; the same where it is 1."""
        process = self.process or getattr(self.predict, "process", None)
        if process is None:
            raise UsageError("this guidance asks at other noise levels: pass process=... to guide")
        return noisier(process, level, factor.to(level.alpha.device))

    def cleanest(self) -> Level:
        """The level that clean samples are said to be at."""
        one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        return Level(one, zero, zero, zero) if self.process is None else self.process.level(zero)

    def hooked(self, name: str) -> Network:
        """The same network with this change inside it."""
        if not hasattr(self.predict, "hooked"):
            raise UsageError(f"this guidance needs a network with the hook '{name}': give it a method hooked(name)")
        return replace(self, predict=self.predict.hooked(name))

    def _read(self, out: Output, x: Tensor, level: Level, grad: bool) -> Prediction:
        value: Any = getattr(out, "x0", out)
        if grad and not getattr(value, "requires_grad", True):
            raise UsageError("this guidance needs the derivative of the network, which runs without one (no_grad)")
        if getattr(value, "shape", x.shape) != x.shape:
            raise UsageError(f"the network returns {[*value.shape]} for x {[*x.shape]}: let it return as many numbers")
        if isinstance(out, Prediction) and self.kind is None:
            return out
        if isinstance(out, Tensor) and self.kind is not None:
            return convert(self.kind, out, x, level)
        known = {"Prediction": "leave kind out", "Tensor": f"say kind=, one of {', '.join(KINDS)}"}
        got = type(out).__name__
        mend = known.get(got, "let it be a tensor, or several by name")
        raise UsageError(f"the network returns a {got}: {mend}")


def bound(network: Network | Predict, kind: Kind | None, process: Process | None) -> Network:
    """A network with its own kind and process, or else with these."""
    if isinstance(network, Network):
        return network
    return Network(network) if hasattr(network, "process") else Network(network, kind, process)
