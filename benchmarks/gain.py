"""What guidance gains on a scenes model: prompt accuracy of any rules, all on the same prompts and seeds.

    python -m benchmarks.gain scenes-32 --net weak=runs/scenes-32/early --n 1000
    python -m benchmarks.gain runs/inner/model --guidance "cfg(3)" "internal(1.4)" "plus(cfg(3), internal(1.4))"
    python -m benchmarks.gain scenes-32 --net weak=runs/scenes-32/early --evaluations 40

Without --guidance: the model's own, CFG, autoguidance, both together as in Karras et al. 2024 (arXiv:2406.02507) with
several guiding models, D + sum_i (w_i - 1) (D - D_i), internal guidance, and the network changed inside; what needs a
network or a head that is not there is left out, and it is said. Each rule is compared with the first one, picture by
picture. With --evaluations every rule has as many steps as that pays for. A row of any network is one evaluation.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

from lodestar.cli.pairs import pairs
from lodestar.data.scenes.source import prompts
from lodestar.errors import UsageError
from lodestar.guidance.rule import asks_of
from lodestar.measure import prompt_truth, wilson
from lodestar.model import Model, load
from lodestar.request import ruled

NOISY = "lo=.43, hi=inf"  # the noisier part, in a flow u from 0.3 on: a light head knows least of the clean end
RULES = (
    *("cfg(1)", "cfg(2)", "cfg(3)", "cfg(4)"),
    *("auto(1.5)", "auto(2)", "auto(3)"),
    *("plus(cfg(2), auto(1.5))", "plus(cfg(2), auto(2))", "plus(cfg(3), auto(1.5))", "plus(cfg(3), auto(2))"),
    *("internal(1.1)", "internal(1.4)", f"interval(internal(1.4), {NOISY})", f"interval(internal(2), {NOISY})"),
    *(f"plus(cfg({scale}), interval(internal(1.4), {NOISY}))" for scale in (2, 3)),
    *("pag(cfg(1), 1)", "pag(cfg(2), 1)", "slg(cfg(1), 1, layers=1)", "slg(cfg(2), 1, layers=1)"),
)
Nets = Mapping[str, Model]


@dataclass(frozen=True)
class Score:
    """How a rule did, with one picture of each prompt."""

    guidance: str
    steps: int
    evaluations: float  # network rows an image
    seconds: float  # an image
    seen: Sequence[bool]  # whether each picture shows its prompt, of combinations that training shows
    held_out: Sequence[bool]  # of those that it never shows

    def against(self, other: Score) -> tuple[int, int]:
        """How many pictures of both kinds are right here and wrong there, and the other way round."""
        pairs = list(zip([*self.seen, *self.held_out], [*other.seen, *other.held_out], strict=True))
        return pairs.count((True, False)), pairs.count((False, True))

    def describe(self) -> dict[str, object]:
        """Plain values, shares to four digits."""
        parts = {"seen": self.seen, "held_out": self.held_out}
        shares = {name: round(sum(right) / len(right), 4) for name, right in parts.items()}
        ends = {f"{k}_95": [round(v, 4) for v in wilson(sum(right), len(right))] for k, right in parts.items()}
        cost = {"evaluations": self.evaluations, "seconds": round(self.seconds, 4)}
        return {"guidance": self.guidance, "steps": self.steps, **cost, **shares, **ends, "prompts": len(self.seen)}


def sign_test(better: int, worse: int) -> float:
    """How likely so uneven a split, or a more uneven one, is by chance: McNemar's exact test, both sides."""
    n = better + worse
    return min(1.0, 2 * sum(comb(n, k) for k in range(min(better, worse) + 1)) / 2**n)


def asked_nets(model: Model, rule: str, nets: Nets) -> Nets:
    """Those networks that a rule asks for."""
    asked = {ask.net for ask in asks_of(ruled(rule, model.defaults), model.defaults.levels(model.process))}
    return {name: net for name, net in nets.items() if name in asked}


def possible(model: Model, rules: Sequence[str], nets: Nets) -> Iterator[tuple[str, str]]:
    """Each rule, and why the model cannot follow it; empty where it can. Over all steps: some ask at a few alone."""
    for rule in rules:
        try:
            model.sample(prompts(1), guidance=rule, nets=asked_nets(model, rule, nets))
            yield rule, ""
        except UsageError as error:
            yield rule, str(error)


def affordable(model: Model, rule: str, nets: Nets, evaluations: int) -> int:
    """As many steps as cost at most so many evaluations an image; one is the least."""

    def cost(steps: int) -> int:
        return model.sample(prompts(1), guidance=rule, steps=steps, nets=nets).evaluations

    steps = max(1, evaluations * model.defaults.steps // cost(model.defaults.steps))
    while steps > 1 and cost(steps) > evaluations:
        steps -= 1
    while cost(steps + 1) <= evaluations:
        steps += 1
    return steps


def score(model: Model, rule: str, nets: Nets, steps: int, n: int, batch: int) -> Score:
    """One picture of each of n prompts of seen combinations, and of n of held-out ones, with seeds 0, 1, ..."""
    nets, truth, cost, seconds = asked_nets(model, rule, nets), [], 0, 0.0
    for asked in (prompts(n), prompts(n, composition=True)):
        got = model.sample(asked, guidance=rule, steps=steps, seed=range(n), nets=nets, batch=batch)
        truth.append([wrong is None for wrong in prompt_truth(got.images, asked)])
        cost, seconds = cost + got.evaluations, seconds + got.seconds
    return Score(str(ruled(rule, model.defaults)), steps, cost / (2 * n), seconds / (2 * n), *truth)


def lines(scores: Sequence[Score]) -> list[str]:
    """The table in Markdown."""
    heads = ("guidance", "steps", "evaluations per image", "seen combinations", "held-out", "better : worse", "p")
    out = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for each in scores:
        seen, held_out = (_share(right) for right in (each.seen, each.held_out))
        better, worse = each.against(scores[0])
        against = "|" if each is scores[0] else f"{better} : {worse} | {sign_test(better, worse):.2g}"
        out.append(f"| {each.guidance} | {each.steps} | {each.evaluations:g} | {seen} | {held_out} | {against} |")
    n = len(scores[0].seen)
    note = f"{n} prompts of each kind, one sample of each, the same seeds in every row; 95 % Wilson intervals."
    test = "p: McNemar's exact test, over both kinds, not corrected for the number of rows."
    return [
        *out,
        "",
        note,
        "",
        f"Better : worse are the pictures that are right where the first row's are wrong. {test}",
    ]


def _share(right: Sequence[bool]) -> str:
    low, high = wilson(sum(right), len(right))
    return f"{sum(right) / len(right):.1%} ({low:.1%} to {high:.1%})"


def main() -> None:
    parser = ArgumentParser("python -m benchmarks.gain", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", help="a shipped model of scenes, or the folder of one")
    parser.add_argument("--guidance", nargs="+", metavar="RULE", help="by default the module's RULES")
    parser.add_argument("--net", action="append", default=[], metavar="NAME=FOLDER", help="another model by name")
    parser.add_argument("--n", type=int, default=1000, help="prompts of each kind")
    parser.add_argument("--batch", type=int, default=25, help="prompts in one forward pass")
    parser.add_argument("--steps", type=int, help="by default the model's")
    parser.add_argument("--evaluations", type=int, help="an image; each rule has as many steps as that pays for")
    parser.add_argument("--json", type=Path, help="a file for the numbers")
    asked = parser.parse_args()
    model = load(asked.model)
    nets = {name: load(folder) for name, folder in pairs("--net", "FOLDER", asked.net).items()}
    rules = dict.fromkeys(asked.guidance or (model.defaults.guidance, *RULES))
    scores = []
    for rule, why in possible(model, list(rules), nets):
        if why and asked.guidance:
            parser.error(why)
        if why:
            print(f"left out: {why}")
            continue
        wanted = asked_nets(model, rule, nets)
        steps = affordable(model, rule, wanted, asked.evaluations) if asked.evaluations else asked.steps
        scores.append(score(model, rule, nets, steps or model.defaults.steps, asked.n, asked.batch))
        print(scores[-1].describe(), flush=True)
    print("\n".join(["", *lines(scores)]))
    if asked.json is not None:
        asked.json.write_text(json.dumps([each.describe() for each in scores], indent=1) + "\n")


if __name__ == "__main__":
    main()
