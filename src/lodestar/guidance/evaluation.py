"""What a rule asks of a step, evaluated: forward, and back where the rule pulls. Counted as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from ..core import Level, Prediction
from ..errors import UsageError
from .batch import Batch, Place, groups, merged, scattered, stacked
from .contexts import Conditions, Contexts
from .network import Network
from .passes import Passes, Recording, cut, recorded
from .rule import Ask, Asks, View


@dataclass
class Tally:
    """What a trajectory cost."""

    evaluations: int = 0  # network rows forward, of all networks
    backwards: int = 0  # network rows back: those that a gradient was pulled through
    calls: int = 0  # forward passes
    gradients: int = 0  # rows of named gradients, each forward and back through a model of its own

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass
class Evaluation:
    """What the names in a rule's asks stand for, and what a trajectory has encoded, how much fits, and what it cost."""

    networks: Mapping[str, Network]
    conditions: Conditions
    gradients: Mapping[str, Callable[..., Tensor]]  # log densities and losses
    max_rows: int | None
    tally: Tally = field(default_factory=Tally, init=False)
    _hooked: dict[tuple[str, str], Network] = field(default_factory=dict, init=False)  # by network and hook
    _passes: dict[object, Passes] = field(default_factory=dict, init=False)  # by network and hook, or log density
    _contexts: dict[object, Contexts] = field(default_factory=dict, init=False)  # by network, n, and autograd's mode
    _plans: dict[object, tuple[Mapping[str, Place], list[Batch]]] = field(default_factory=dict, init=False)  # the last

    def view(self, x: Tensor, level: Level, asks: Asks) -> View:
        """What the rule is to see of these asks at x [B, ...]."""
        check_gradients(asks.values(), self.gradients)
        gradients = {n: partial(self._gradient_at, a, x, level) for n, a in asks.items() if a.gradient is not None}
        places, batches = self._planned({name: a for name, a in asks.items() if a.gradient is None}, x)
        found: dict[Place, Prediction] = {}
        pulls: dict[Ask, Callable[..., Tensor]] = {}
        for batch in batches:
            outs, pulls[batch.asks[0]] = self._run(batch, x, level)
            found.update(batch.spread(outs, len(x)))
        named = {name: found[place] if place in found else _nothing(x) for name, place in places.items()}
        back = {n: partial(pulls.get(ask, _no_pull), head) for n, (ask, head) in places.items() if asks[n].grad}
        return View(x, named, back, gradients)

    def _planned(self, asks: Asks, x: Tensor) -> tuple[Mapping[str, Place], list[Batch]]:
        """Where each ask's prediction is found in which batches: kept while the steps go on asking the same."""
        rows = {n: (True,) if a.rows is None else tuple(a.rows.expand(len(x)).tolist()) for n, a in asks.items()}
        same = (len(x), torch.is_grad_enabled(), *((n, a, a.grad, rows[n]) for n, a in asks.items()))
        if same not in self._plans:
            keys = {name: self.conditions.key(ask) for name, ask in asks.items()}
            places = {name: (replace(key, head="main"), key.head) for name, key in keys.items()}
            wanted = groups(merged((places[name][0], ask) for name, ask in asks.items()))
            with recorded(torch.is_grad_enabled()):
                heads = [place for n, place in places.items() if any(rows[n])]
                batches = [stacked(g, heads, x, self._known(next(iter(g)).net, len(x))) for g in wanted]
            self._plans = {same: (places, batches)}
        return self._plans[same]

    def _known(self, net: str, n: int) -> Contexts:
        """What this network has been told of the n conditions."""
        if net not in self.networks:
            raise UsageError(f"this guidance needs a network named '{net}': pass nets={{{net!r}: ...}} to guide")
        key = net, n, torch.is_grad_enabled()
        if key not in self._contexts:
            self._contexts[key] = Contexts(self.conditions, getattr(self.networks[net].predict, "encode", None), n)
        return self._contexts[key]

    def _network(self, net: str, hook: str | None) -> Network:
        """This network, with this change inside it: made once a trajectory."""
        if hook is None:
            return self.networks[net]
        if (net, hook) not in self._hooked:
            self._hooked[net, hook] = self.networks[net].hooked(hook)
        return self._hooked[net, hook]

    def _run(self, batch: Batch, x: Tensor, level: Level) -> tuple[dict[str, Prediction], Callable[..., Tensor]]:
        """The predictions [R, ...] of a batch by head, and how one of them is pulled back."""
        net, hook = batch.asks[0].net, batch.asks[0].hook
        network, passes = self._network(net, hook), self._passes.setdefault((net, hook), Passes(self.max_rows))
        with recorded(torch.is_grad_enabled()):
            x, level = batch.gather(x, level, network)

        def run(x: Tensor, rows: slice) -> dict[str, Prediction]:
            back = batch.grad and torch.is_grad_enabled()
            outs = network(x, level[rows], cut(batch.context, rows), batch.heads, back)
            self.tally.evaluations += len(x)
            self.tally.calls += 1
            return outs

        if not batch.grad:
            return _joined(passes(len(x), lambda rows: run(cut(x, rows), rows))), _no_pull
        recording = Recording(run, x, passes)
        return _joined(recording.forward()), partial(self._pull, batch, recording)

    def _pull(self, batch: Batch, recording: Recording, head: str, cotangent: Tensor) -> Tensor:
        part = recording.pull(lambda outs: outs[head].x0, cotangent[batch.index])
        self.tally.backwards += len(part)
        return scattered(part, batch.rows[0], len(cotangent))

    def _gradient_at(
        self, ask: Ask, x: Tensor, level: Level, other: Tensor | None = None, there: Level | None = None
    ) -> Tensor:
        """The gradient of its log density by x, or by another x, as `View.gradient` has it."""
        name, main, contexts = str(ask.gradient), self.networks["main"], Contexts(self.conditions, None, len(x))
        with recorded(torch.is_grad_enabled()):
            batch = stacked({self.conditions.key(ask): replace(ask, grad=True)}, (), x, contexts)
            if other is not None:
                x, level = other, there or main.cleanest()
            here, level = batch.gather(x, level, main)

        def log_p(x: Tensor, rows: slice) -> Tensor:
            value = main.told(_called(name, self.gradients[name]), x, level[rows], cut(batch.context, rows))
            if value.shape != (len(x),):
                raise UsageError(f"the log density '{name}' must give one number a row, got {[*value.shape]}")
            if not value.requires_grad:
                raise UsageError(f"the log density '{name}' runs without derivatives (no_grad): let autograd record it")
            self.tally.gradients += len(x)
            return value

        recording = Recording(log_p, here, self._passes.setdefault(name, Passes(self.max_rows)))
        part = recording.pull(lambda value: value, torch.ones(len(here), device=x.device))
        return scattered(part, batch.rows[0], len(x))


def check_gradients(asks: Iterable[Ask], gradients: Mapping[str, Callable[..., Tensor]]) -> None:
    """Raise UsageError where a function is missing, and where one leads the other way than it is gone."""
    for ask in asks:
        if ask.gradient is not None and ask.gradient not in gradients and ask.wanted:
            mend = f"pass gradients={{{ask.gradient!r}: log_p}} to guide (--gradient {ask.gradient}=FOLDER)"
            raise UsageError(f"this guidance needs a gradient named '{ask.gradient}': {mend}")
        if ask.down and getattr(gradients.get(str(ask.gradient)), "log_density", False):
            what = f"this guidance goes down the log density '{ask.gradient}', and so away from what is asked"
            raise UsageError(f"{what}: take the rule classifier or clip, or lodestar.gradients.minus of it")


def _called(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function of this name, or a UsageError where it cannot be called as it is."""

    def call(*values: Any) -> Tensor:
        try:
            signature(function, follow_wrapped=False).bind(*values)
        except TypeError:
            mend = "lodestar.gradients.loss(f) makes one of a function of x0 alone"
            raise UsageError(f"'{name}' is called with x, the noise and the condition: {mend}") from None
        return function(*values)

    return call


def _joined(passes: Sequence[Mapping[str, Prediction]]) -> dict[str, Prediction]:
    """The predictions of all passes."""
    heads = {head: [p[head] for p in passes] for head in passes[0]}
    return {head: Prediction(_cat([p.x0 for p in ps]), _cat([p.eps for p in ps])) for head, ps in heads.items()}


def _cat(parts: list[Tensor]) -> Tensor:
    """All rows, without what autograd keeps for a pull where nobody else wants it."""
    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    return whole if torch.is_grad_enabled() else whole.detach()


def _nothing(x: Tensor) -> Prediction:
    """What a rule reads of a prediction that it asked for no sample."""
    zero = torch.zeros_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
    return Prediction(zero, zero)


def _no_pull(head: str, cotangent: Tensor) -> Tensor:
    """What comes back through a prediction that was asked for no sample."""
    return torch.zeros_like(cotangent)
