"""Each kind of ask by the smallest rule that needs it, on the oracle, under networks of every kind."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from asking import Classified, Measured, OfHead, OfHook, OfLevel, OfNet, Universal
from lodestar import gradients
from lodestar.conditions import Joint, Label
from lodestar.core import KINDS, Kind, Level, Prediction, Step, convert, lerp
from lodestar.errors import UsageError, unknown
from lodestar.guidance import ALL, CFG, Ask, Interval, Network, Rescale, Rule, guide
from lodestar.oracle import Blurred, GaussianMixture, Undertrained
from lodestar.process import DDPM, EDM, Cosine, Flow, Process

ORACLE = GaussianMixture.random(6, 3, torch.Generator().manual_seed(1))
WEAK, INNER = Blurred(ORACLE, 0.5), Undertrained(ORACLE)
X = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = Label(torch.tensor([0, 1, 2, 1]))
PROCESSES: list[Process] = [Cosine(), DDPM(), EDM(0.01, 10.0), Flow(), Flow(shift=3.0)]
MODES: dict[str, Callable] = {
    "grad": nullcontext,
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
}

every_kind = pytest.mark.parametrize("kind", KINDS)
every_process = pytest.mark.parametrize("process", PROCESSES, ids=str)
every_mode = pytest.mark.parametrize("mode", MODES)


def step_at(u: float, process: Process = Cosine()) -> Step:  # noqa: B008
    return Step(process.level(torch.tensor(u, dtype=torch.float64)))


def raw(denoiser: Callable[..., Prediction], kind: Kind) -> Callable[..., Tensor]:
    return lambda x, level, labels: denoiser(x, level, labels).reading(kind, level).to(x)


def close(a: Prediction, b: Prediction) -> None:
    torch.testing.assert_close(a.x0, b.x0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(a.eps, b.eps, rtol=1e-9, atol=1e-9)


def log_p(x: Tensor, level: Level, labels: Label) -> Tensor:
    """log p(c | x), but for a constant."""
    return ORACLE.log_density(x, level, labels.index) - ORACLE.log_density(x, level)


# net


@every_kind
def test_net_is_another_network_of_the_same_kind(kind):
    g = guide(OfNet(2.0), raw(ORACLE, kind), LABELS, kind=kind, nets={"weak": raw(WEAK, kind)})
    step = step_at(0.5)
    close(g(X, step), lerp(WEAK(X, step.level, LABELS), ORACLE(X, step.level, LABELS), 2.0))
    assert (g.evaluations, g.calls, g.tally.backwards) == (8, 2, 0)


@every_kind
def test_net_may_be_of_a_kind_and_a_process_of_its_own(kind):
    def weak(x: Tensor, lam: Tensor, labels: Label) -> Tensor:
        assert lam.shape == (4,)
        return WEAK(x, step_at(0.5).level, labels).x0

    nets = {"weak": Network(weak, "x0", Cosine())}
    g = guide(OfNet(2.0), raw(ORACLE, kind), LABELS, kind=kind, nets=nets)
    close(g(X, step_at(0.5)), lerp(WEAK(X, step_at(0.5).level, LABELS), ORACLE(X, step_at(0.5).level, LABELS), 2.0))


def test_net_may_be_a_model_beside_a_bare_network():
    class Model:
        process = Cosine()

        def __call__(self, x: Tensor, level: Level, labels: Label) -> Prediction:
            return WEAK(x, level, labels)

    def bare(x: Tensor, lam: Tensor, labels: Label) -> Tensor:
        return ORACLE(x, step_at(0.5).level, labels).eps

    g = guide(OfNet(2.0), bare, LABELS, kind="eps", process=Cosine(), nets={"weak": Model()})
    close(g(X, step_at(0.5)), lerp(WEAK(X, step_at(0.5).level, LABELS), ORACLE(X, step_at(0.5).level, LABELS), 2.0))


def test_each_net_encodes_for_itself(encoding, condition, at):
    other = replace(encoding, passes=[], encoded=[])
    g = guide(OfNet(2.0), encoding, condition, kind="x0", nets={"weak": other}).begin()
    for ratio in (2.0, 1.0):
        g(torch.zeros(4, 2, 3), at(ratio))
    assert encoding.encoded == other.encoded == [[1, 2, 3, 4]]
    assert len(encoding.passes) == len(other.passes) == 2


def test_an_unknown_net_says_how_to_pass_it():
    called = []
    with pytest.raises(UsageError, match=r"^this guidance needs a network named 'weak': pass nets=\{'weak': \.\.\.\}"):
        guide(OfNet(), lambda *a: called.append(a), LABELS, kind="v")(X, step_at(0.5))
    assert not called


# level


@every_kind
@every_process
def test_level_tells_the_network_of_more_noise_in_the_same_x(kind, process):
    """The prediction is that of the level told: the same for every kind of network."""
    step = step_at(0.5, process)
    told = process.level(process.u_of(step.level.lam - 2 * torch.tensor(1.5).double().log()))
    net = knowing(process, raw(ORACLE, kind))
    g = guide(Seen(Ask(level=1.5)), net, LABELS, kind=kind)
    found = g(X, step)
    close(found, ORACLE(X, told, LABELS))
    a = told.like(X)
    torch.testing.assert_close(a.alpha * found.x0 + a.sigma * found.eps, X)
    assert told.noise_to_signal == pytest.approx(1.5 * float(step.level.noise_to_signal))


@every_kind
def test_a_rule_brings_another_level_back_to_the_samplers(kind):
    net = knowing(Cosine(), raw(ORACLE, kind))
    step = step_at(0.5)
    told = Cosine().level(Cosine().u_of(step.level.lam - 2 * torch.tensor(1.5).double().log()))
    other = convert("x0", ORACLE(X, told, LABELS).x0, X, step.level)
    close(guide(OfLevel(2.0), net, LABELS, kind=kind)(X, step), lerp(other, ORACLE(X, step.level, LABELS), 2.0))


def test_all_levels_are_one_pass_and_each_sample_may_have_its_own(net, x, condition, at):
    g = guide(Both(Ask(level=[1.0, 2.0, 0.5, 1e9])), knowing(EDM(0.01, 10.0), net), condition, kind="x0")
    g(x, at(1.0))
    assert (g.evaluations, g.calls) == (8, 1)
    torch.testing.assert_close(net.levels[0].sigma, torch.tensor([1.0, 1, 1, 1, 1, 2, 0.5, 10]).double())
    assert torch.equal(net.inputs[0], torch.cat([x, x]))


def test_the_same_level_is_the_same_ask(net, x, condition, at):
    g = guide(Both(Ask(level=1)), net, condition, kind="x0")
    g(x, at(1.0))
    assert g.evaluations == 4


def test_another_level_needs_the_process():
    with pytest.raises(UsageError, match=r"asks at other noise levels: pass process=\.\.\. to guide"):
        guide(OfLevel(), raw(ORACLE, "v"), LABELS, kind="v")(X, step_at(0.5))


@pytest.mark.parametrize("level", [0, -1.0, float("nan"), float("inf"), "high"])
def test_a_level_that_is_none(level):
    with pytest.raises(UsageError, match=r"^level must"):
        Ask(level=level)


# hook


@dataclass
class Changeable:
    """A network with the hook blur(0.5)."""

    kind: Kind
    denoiser: Callable[..., Prediction] = ORACLE

    def __call__(self, x: Tensor, level: Level, labels: Label) -> Tensor:
        return raw(self.denoiser, self.kind)(x, level, labels)

    def hooked(self, name: str) -> "Changeable":
        if name != "blur(0.5)":
            raise unknown("hook", name, ["blur(0.5)"])
        return replace(self, denoiser=WEAK)


@every_kind
def test_hook_is_a_change_inside_the_network(kind):
    g = guide(OfHook(2.0), Changeable(kind), LABELS, kind=kind)
    close(g(X, step_at(0.5)), lerp(WEAK(X, step_at(0.5).level, LABELS), ORACLE(X, step_at(0.5).level, LABELS), 2.0))
    assert (g.evaluations, g.calls) == (8, 2)


def test_what_a_hook_reads_is_encoded_once_for_both(encoding, condition, at):
    encoding.hooked = lambda name: lambda x, level, c: encoding(x, level, c) + 1
    g = guide(OfHook(0.0), encoding, condition, kind="x0")
    found = g(torch.zeros(4, 1, 1), at(1.0)).x0
    assert found.flatten().tolist() == [11, 21, 31, 41]
    assert encoding.encoded == [[1, 2, 3, 4]]


def test_a_network_without_the_hook():
    with pytest.raises(
        UsageError, match=r"needs a network with the hook 'blur\(0.5\)': give it a method hooked\(name\)"
    ):
        guide(OfHook(), raw(ORACLE, "v"), LABELS, kind="v")(X, step_at(0.5))
    with pytest.raises(UsageError, match=r"unknown hook 'pag': there are blur\(0.5\)"):
        guide(Seen(Ask(hook="pag")), Changeable("v"), LABELS, kind="v")(X, step_at(0.5))


# head


def two_headed(kind: Kind) -> Callable[..., Mapping[str, Tensor]]:
    return lambda *a: {"middle": raw(INNER, kind)(*a), "main": raw(ORACLE, kind)(*a), "unasked": torch.zeros(1)}


@every_kind
def test_head_is_another_output_of_the_same_pass(kind):
    g = guide(OfHead(2.0), two_headed(kind), LABELS, kind=kind)
    close(g(X, step_at(0.5)), lerp(INNER(X, step_at(0.5).level, LABELS), ORACLE(X, step_at(0.5).level, LABELS), 2.0))
    assert (g.evaluations, g.calls) == (4, 1)


def test_heads_of_several_asks_and_rows(x, condition, at):
    """Main of the condition for all, the middle of the null for some: each by its own name, one pass."""
    some = torch.tensor([True, False, False, True])

    def net(x: Tensor, level: Level, c) -> dict[str, Prediction]:
        y = x + c.value.reshape(-1, 1, 1)
        return {"main": Prediction(y, y), "middle": Prediction(-y, -y)}

    g = guide(Both(Ask(head="middle", drop=ALL, rows=some)), net, condition)
    found = g(x, at(1.0)).x0
    assert (g.evaluations, g.calls) == (6, 1)
    expected = x + condition.value.reshape(-1, 1, 1) - some.reshape(-1, 1, 1) * x
    torch.testing.assert_close(found, expected)


def test_an_unknown_head_names_those_that_there_are():
    with pytest.raises(UsageError, match=r"needs a network with the head 'middle': .* \(there are main\)$"):
        guide(OfHead(), raw(ORACLE, "v"), LABELS, kind="v")(X, step_at(0.5))


# grad


GAUSSIAN = GaussianMixture.random(6, 3, torch.Generator().manual_seed(2), per_class=1)


def measured(rule: Measured) -> GaussianMixture:
    """The Gaussians given the measurement, by Bayes."""
    c, first = GAUSSIAN.covariances, GAUSSIAN.covariances[:, :, 0]
    gain = first / (c[:, :1, 0] + rule.error**2)
    means = GAUSSIAN.means + gain * (rule.value - GAUSSIAN.means[:, :1])
    return GaussianMixture(GAUSSIAN.weights, means, c - gain[:, :, None] * first[:, None], GAUSSIAN.classes)


@every_kind
@every_process
@every_mode
def test_grad_pulls_back_through_the_network(kind, process, mode):
    """With the Jacobian, a measurement of Gaussian data is conditioned on exactly."""
    rule, step = Measured(0.7, 0.3), step_at(0.6, process)
    with MODES[mode]():
        g = guide(rule, raw(GAUSSIAN, kind), LABELS[torch.arange(4)], kind=kind)
        found = g(X.clone(), Step(process.level(torch.tensor(0.6, dtype=torch.float64))))
        assert not found.x0.requires_grad or mode == "grad"
    close(found, measured(rule)(X, step.level, LABELS))
    assert (g.evaluations, g.tally.backwards, g.calls) == (4, 4, 1)


@every_mode
def test_grad_is_a_pass_of_its_own_and_costs_its_rows(mode):
    some = torch.tensor([True, False, True, True])
    rule = Pulled({"cond": Ask(grad=True, rows=some), "null": Ask(drop=ALL), "same": Ask()}, times=2)
    with MODES[mode]():
        g = guide(rule, raw(ORACLE, "v"), LABELS, kind="v")
        pulled = g(X, step_at(0.5)).x0
    x = X.clone().requires_grad_()
    torch.testing.assert_close(pulled, 2 * torch.autograd.grad(ORACLE(x, step_at(0.5).level, LABELS).x0.sum(), x)[0])
    assert (g.evaluations, g.calls, g.tally.backwards) == (8, 2, 8)  # "same" wants all the rows, so all are pulled


def test_what_is_not_asked_is_pulled_back_to_zero():
    for rows in (torch.tensor([True, False, False, False]), torch.tensor(False)):
        g = guide(Pulled({"cond": Ask(grad=True, rows=rows)}), raw(ORACLE, "v"), LABELS, kind="v")
        pulled = g(X, step_at(0.5)).x0
        assert ((pulled != 0).flatten(1).any(1) == rows).all()
        assert g.evaluations == g.tally.backwards == int(rows.sum())


def test_a_pull_can_itself_be_differentiated():
    """In grad mode alone, and as autograd would have it."""
    x = X[:1].clone().requires_grad_()
    g = guide(Measured(), raw(ORACLE, "eps"), LABELS[:1], kind="eps")
    assert torch.autograd.gradcheck(lambda x: g(x, step_at(0.5)).x0, x)
    y = X[:1].clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda y: guide(Measured(), raw(ORACLE, "v"), LABELS[:1], kind="v", max_rows=1)(y, step_at(0.5)).eps, y
    )


def test_parameters_get_no_gradient_from_a_pull():
    layer = torch.nn.Linear(3, 3, dtype=torch.float64)
    with torch.no_grad():
        guide(Pulled({"cond": Ask(grad=True)}), lambda x, level, c: layer(x), LABELS, kind="v")(X, step_at(0.5))
    assert layer.weight.grad is None


def test_the_graph_is_gone_with_the_step():
    """What a rule returns keeps nothing of it, where nobody differentiates."""
    with torch.no_grad():
        p = guide(Seen(Ask(grad=True)), raw(ORACLE, "v"), LABELS, kind="v")(X, step_at(0.5))
    assert p.x0.grad_fn is None
    assert not p.x0.requires_grad


@pytest.mark.parametrize("kind", ["eps", "x0"])
def test_a_network_that_runs_without_derivatives_is_refused(kind):
    """An eps network under no_grad would otherwise give a Jacobian of 1 / alpha, and nobody would notice."""
    net = torch.no_grad()(raw(ORACLE, kind))
    with pytest.raises(UsageError, match=r"needs the derivative of the network, which runs without one \(no_grad\)"):
        guide(Measured(), net, LABELS, kind=kind)(X, step_at(0.5))
    guide(CFG(4), net, LABELS, kind=kind)(X, step_at(0.5))


def test_a_network_that_detaches_its_input_is_refused():
    """Even where its output can be differentiated, by weights of its own."""
    weight = torch.ones((), requires_grad=True, dtype=torch.float64)
    net = raw(ORACLE, "x0")
    g = guide(Measured(), lambda x, level, c: weight * net(x.detach(), level, c), LABELS, kind="x0")
    with pytest.raises(UsageError, match="needs the derivative of the network by x, on which its output does not"):
        g(X, step_at(0.5))


def test_wrappers_keep_what_their_inner_rule_pulls():
    """Rescale asks for cond again, without its derivative; outside the interval nothing is pulled."""
    g = guide(Rescale(Measured(), phi=0.0), raw(ORACLE, "v"), LABELS, kind="v")
    close(g(X, step_at(0.5)), guide(Measured(), raw(ORACLE, "v"), LABELS, kind="v")(X, step_at(0.5)))
    assert (g.evaluations, g.tally.backwards) == (4, 4)
    outside = guide(Interval(Measured(), lo=0.28, hi=0.5), raw(ORACLE, "v"), LABELS, kind="v")
    close(outside(X, step_at(0.5)), ORACLE(X, step_at(0.5).level, LABELS))
    assert (outside.evaluations, outside.tally.backwards) == (4, 0)


# gradient


@every_kind
@every_process
@every_mode
def test_gradient_of_another_model(kind, process, mode):
    """The null with the exact classifier's gradient is the conditional."""
    with MODES[mode]():
        step = step_at(0.5, process)
        g = guide(Classified(), raw(ORACLE, kind), LABELS[torch.arange(4)], kind=kind, gradients={"classifier": log_p})
        found = g(X.clone(), step)
    close(found, ORACLE(X, step.level, LABELS))
    assert (g.evaluations, g.tally.backwards, g.tally.gradients) == (4, 0, 4)


@every_kind
@every_mode
def test_gradient_through_the_denoiser(kind, mode):
    """grad by x of log p(c | x0(x)), the classifier being told of clean samples."""
    with MODES[mode]():
        g = guide(Universal(0.5), raw(ORACLE, kind), LABELS, kind=kind, gradients={"classifier": log_p})
        found = g(X, step_at(0.3))
    x, level = X.clone().requires_grad_(), step_at(0.3).level
    clean = Level(*torch.tensor([1.0, 0, 0, 0]).double())
    p = ORACLE(x, level, LABELS)
    score = torch.autograd.grad(log_p(p.x0, clean, LABELS).sum(), x)[0]
    torch.testing.assert_close(found.eps, p.eps - 0.5 * level.sigma * score)
    assert (g.evaluations, g.tally.backwards, g.tally.gradients) == (4, 4, 4)


def test_gradient_is_computed_for_its_rows_when_it_is_read():
    some = torch.tensor([False, True, False, False])
    told = []

    def classifier(x: Tensor, level: Level, labels: Label) -> Tensor:
        told.append(labels.index.tolist())
        return log_p(x, level, labels)

    asks = {"cond": Ask(), "pull": Ask(gradient="classifier", rows=some), "unread": Ask(gradient="classifier")}
    g = guide(Read(asks), raw(ORACLE, "v"), LABELS, kind="v", gradients={"classifier": classifier})
    found = g(X, step_at(0.5)).x0
    assert told == [[1]]
    assert g.tally.gradients == 1
    assert (found[~some] == 0).all()
    none = {"cond": Ask(), "pull": Ask(gradient="classifier", rows=torch.tensor(False))}
    assert (
        guide(Read(none), raw(ORACLE, "v"), LABELS, kind="v", gradients={"classifier": classifier})(X, step_at(0.5)).x0
        == 0
    ).all()
    assert len(told) == 1


def test_gradient_of_another_condition():
    asks = {"cond": Ask(), "pull": Ask(gradient="classifier", replace="other")}
    other = Label(torch.tensor([2]))
    g = guide(Read(asks), raw(ORACLE, "v"), LABELS, kind="v", gradients={"classifier": log_p}, named={"other": other})
    x = X.clone().requires_grad_()
    expected = torch.autograd.grad(log_p(x, step_at(0.5).level, Label(torch.full((4,), 2))).sum(), x)[0]
    torch.testing.assert_close(g(X, step_at(0.5)).x0, expected)


def test_an_unknown_gradient_and_one_that_is_no_log_density():
    with pytest.raises(
        UsageError, match=r"needs a gradient named 'classifier': pass gradients=\{'classifier': log_p\}"
    ):
        guide(Classified(), raw(ORACLE, "v"), LABELS, kind="v")(X, step_at(0.5))
    logits = {"classifier": lambda x, level, labels: x.flatten(1)}
    with pytest.raises(UsageError, match=r"'classifier' must give one number a row, got \[4, 6\]"):
        guide(Classified(), raw(ORACLE, "v"), LABELS, kind="v", gradients=logits)(X, step_at(0.5))
    without = {"classifier": torch.no_grad()(log_p)}
    with pytest.raises(UsageError, match=r"^the log density 'classifier' runs without derivatives \(no_grad\)"):
        guide(Classified(), raw(ORACLE, "v"), LABELS, kind="v", gradients=without)(X, step_at(0.5))


def test_a_log_density_is_not_gone_down():
    up = {"it": Towards(log_p)}
    score = Read({"pull": Ask(gradient="it")})
    assert guide(score, raw(ORACLE, "v"), LABELS, kind="v", gradients=up)(X, step_at(0.5)).x0.any()
    loss = Read({"pull": Ask(gradient="it", down=True)})
    assert guide(loss, raw(ORACLE, "v"), LABELS, kind="v", gradients={"it": log_p})(X, step_at(0.5)).x0.any()
    with pytest.raises(UsageError, match=r"goes down the log density 'it', and so away from .*gradients.minus of it"):
        guide(loss, raw(ORACLE, "v"), LABELS, kind="v", gradients=up)(X, step_at(0.5))
    less = {"it": gradients.minus(up["it"])}
    assert guide(loss, raw(ORACLE, "v"), LABELS, kind="v", gradients=less)(X, step_at(0.5)).x0.any()


# drop and replace by part


def test_replace_by_part_takes_the_place_of_that_part_alone(x, at):
    """Guidance away from another text, with the same image: the rule names it, the condition's parts say the rest."""
    condition = Joint({"text": Label(torch.tensor([0, 1, 2, 1])), "image": Label(torch.tensor([5, 6, 7, 8]))})
    passes = []

    def net(x: Tensor, level: Level, c: Joint) -> Tensor:
        passes.append({name: part.index.tolist() for name, part in c.parts.items()})
        return x

    named = {"negative": Joint({"text": Label(torch.tensor([9]))})}
    guide(Both(Ask(replace="negative")), net, condition, kind="x0", named=named)(x, at(1.0))
    assert passes == [{"text": [0, 1, 2, 1, 9, 9, 9, 9], "image": [5, 6, 7, 8] * 2}]


# The rules.


@dataclass(frozen=True)
class Seen(Rule):
    """What is asked, as it is."""

    ask: Ask

    def asks(self, at: Step):
        return {"seen": self.ask}

    def __call__(self, view, at):
        return view["seen"]


@dataclass(frozen=True)
class Both(Seen):
    """The plain prediction and what is asked, added up."""

    def asks(self, at: Step):
        return {"cond": Ask(), "seen": self.ask}

    def __call__(self, view, at):
        return view["cond"] + view["seen"]


@dataclass(frozen=True)
class Pulled(Rule):
    """The column sums of the Jacobian of "cond"."""

    wants: Mapping[str, Ask]
    times: int = 1

    def asks(self, at: Step):
        return self.wants

    def __call__(self, view, at):
        total = sum(view.pull("cond", torch.ones_like(view.x)) for _ in range(self.times))
        return Prediction(total, total)


@dataclass(frozen=True)
class Towards:
    """A function that says of itself that it is a log density."""

    function: Callable[..., Tensor]
    log_density: ClassVar = True

    def __call__(self, *told):
        return self.function(*told)


@dataclass(frozen=True)
class Read(Pulled):
    """The gradient called "pull"."""

    def __call__(self, view, at):
        score = view.gradient("pull")
        return Prediction(score, score)


def knowing(process, net):
    """The network, which now knows its process."""
    net.process = process
    return net
